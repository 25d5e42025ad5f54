"""`whence why --since`: what happened to a live metric, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def view(document: Mapping[str, Any]) -> Any:
    """The diagnosis: the sentence first, then what it rests on."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    live = document["live"]
    facts = Table.grid(padding=(0, 2))
    for name, text in _facts(live):
        facts.add_row(Text(f"  {name}", style="quiet"), Text(text))
    parts: list[Any] = [Text(live["sentence"], style="name"), Text(), facts]
    if live["alternatives"]:
        parts += [Text(), Text("  what was weighed, best first", style="quiet")]
        parts.append(_weighed(live["alternatives"]))
    for note in live["notes"]:
        parts.append(Text(f"  note: {note}"))
    return Group(*parts)


def _facts(live: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        (
            live["metric"],
            f"{_band(live['reference'])} before → {_band(live['current'])} since",
        ),
        ("drop", f"{live['drop']:.4g} (by chance: p = {live['p']:.2g})"),
    ]
    if live["features"]:
        how = f", {live['how']}" if live["how"] else ""
        facts.append(("features", ", ".join(live["features"]) + how))
    if live["slice"]:
        facts.append(("where", live["slice"]))
    if live["harmless"]:
        facts.append(("harmless", f"{', '.join(live['harmless'])} drift and do not matter"))
    facts += [(name, f"{value:.4g}") for name, value in live["evidence"].items()]
    return facts


def _band(window: Mapping[str, Any]) -> str:
    low, high = f"{window['low']:.4g}", f"{window['high']:.4g}"
    return f"{window['value']:.4g} [{low}, {high}] (n = {window['n']:,})"


def _weighed(alternatives: list[Mapping[str, Any]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    heads = ("  kind", "features", "explains", "contradicted by", "fit")
    table.add_row(*(Text(head, style="quiet") for head in heads))
    for each in alternatives[:6]:
        where = f" where {each['slice']}" if each["slice"] else ""
        table.add_row(
            Text(f"  {each['kind']}"),
            Text(", ".join(each["features"]) + where),
            Text(f"{each['share']:.0%}"),
            Text(f"{each['violation']:.3g} nats a row ({each['z']:.1f} se)"),
            Text(f"{each['fit']:.2f}"),
        )
    return table
