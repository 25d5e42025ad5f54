"""`whence show`: a node's value, schema, picture and recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from whence.cli import options

#: Rows of a table that are shown.
HEAD = 8


@click.command("show")
@click.argument("node", required=False, shell_complete=options.complete_nodes)
@click.option("--partition", metavar="KEY", help="One partition of it.")
@click.option(
    "--rows",
    type=click.IntRange(0),
    default=HEAD,
    show_default=True,
    help="Rows of a table to show.",
)
@click.option("--out", type=click.Path(dir_okay=False), help="Write the picture or text to a file.")
@click.option("--recipe", is_flag=True, help="List everything that its value depends on.")
@options.common
def command(
    node: str | None,
    partition: str | None,
    rows: int,
    out: str | None,
    recipe: bool,
    project: str,
    as_json: bool,
) -> int:
    """Show the value of NODE (or NODE@BUILD); without NODE, list the values of the latest build."""
    from whence.cli.output import console, write_json
    from whence.engine.project import Project

    with Project.open(project) as opened:
        if node is None:
            document = _listing(opened)
            render: Any = view_listing
        else:
            name, _, at = node.partition("@")
            build = options.build_name(at) if at else "latest"
            document = _describe(opened, build, name, partition, recipe)
            value = _loaded(opened, build, name, partition, document["node"])
            if out is not None:
                _write(value, Path(out), name)
                document["node"]["written"] = out

            def render(shown: Mapping[str, Any]) -> Any:
                return view(shown, value, rows, console().width)

    if as_json:
        write_json(document)
    else:
        console().print(render(document))
    return 0


def _listing(project: Any) -> dict[str, Any]:
    made = project.get_build("latest")
    catalog = project.stores.catalog
    found = catalog.get_artifacts({task.digest for task in made.tasks if task.digest})
    values = [
        {
            "node": task.node,
            "partition": task.partition,
            "digest": task.digest,
            "format": found[task.digest].format if task.digest in found else None,
            "summary": dict(found[task.digest].summary) if task.digest in found else {},
        }
        for task in made.tasks
    ]
    return {"build": made.id, "values": values}


def _describe(
    project: Any, build: str, name: str, partition: str | None, with_recipe: bool
) -> dict[str, Any]:
    from whence.engine.history import recipes_of
    from whence.engine.results import describe

    made = project.get_build(build)
    parts = project.partitions(build, name)
    tasks = [task for task in made.tasks if task.node == name]
    if partition is not None:
        parts = [(partition, project.artifact(build, name, partition))]
        tasks = [task for task in tasks if task.partition in ("", partition)]
    runs = project.stores.catalog.runs([t.run_id for t in tasks if t.run_id is not None])
    document: dict[str, Any] = {
        "name": name,
        "build": made.id,
        "values": [{"partition": key, **describe(artifact)} for key, artifact in parts],
        "made_in": sorted({f"b{run.build_id}" for run in runs.values()}),
        "duration_s": round(sum(run.run.duration_s for run in runs.values()), 6),
        "recipe": None,
    }
    if with_recipe:
        catalog = project.stores.catalog
        rows = [row for row in catalog.tasks_of(int(made.id[1:])) if row.node == name]
        if partition is not None:
            rows = [row for row in rows if row.partition in ("", partition)]
        known = recipes_of(catalog, rows)
        document["recipe"] = {
            row.partition: known[row.recipe].to_json() for row in rows if row.recipe in known
        }
    return {"node": document}


def _loaded(
    project: Any, build: str, name: str, partition: str | None, document: Mapping[str, Any]
) -> Any:
    """The value, where people can be shown it; a table comes as Arrow."""
    formats = {value["format"] for value in document["values"]}
    if not formats <= {"table", "json", "text", "tree", "figure"}:
        return None
    form = "pyarrow.Table" if formats == {"table"} else None
    return project.load(build, name, partition, form)


def _write(value: Any, path: Path, name: str) -> None:
    """Write a figure in the format of the file's name, or a text."""
    from whence.errors import ConfigError

    found = getattr(value, path.suffix.lstrip("."), None) if path.suffix else None
    if isinstance(value, str):
        path.write_text(value, encoding="utf-8")
    elif isinstance(found, bytes):
        path.write_bytes(found)
    elif isinstance(found, str):
        path.write_text(found, encoding="utf-8")
    else:
        raise ConfigError(
            f"'{name}' cannot be written as {path.name}.",
            "figures are written as .png, .svg or .html, as they were made; texts as any file.",
        )


def view_listing(document: Mapping[str, Any]) -> Any:
    """The values of a build, a line for each node."""
    from rich.table import Table
    from rich.text import Text

    from whence.cli import words

    by_node: dict[str, list[Mapping[str, Any]]] = {}
    for value in document["values"]:
        by_node.setdefault(value["node"], []).append(value)
    table = Table(box=None, pad_edge=False)
    for heading in ("node", "format", "value"):
        table.add_column(heading)
    for name, values in by_node.items():
        first = values[0]
        shown = words.value(first["summary"])
        if len(values) > 1:
            shown = f"{len(values)} partitions"
        table.add_row(
            Text(name, style="name"),
            Text(first["format"] or "-", style="kind"),
            Text(shown, overflow="ellipsis", no_wrap=True),
        )
    return table


def view(document: Mapping[str, Any], value: Any, rows: int, width: int = 100) -> Any:
    """One node for people, in `width` columns."""
    from rich.console import Group
    from rich.text import Text

    from whence.cli import words

    node = document["node"]
    values = node["values"]
    head = Text(node["name"], style="name")
    head.append(f"@{node['build']}", style="quiet")
    parts: list[Any] = [head]
    if len(values) == 1:
        first = values[0]
        where = f"[{first['partition']}] " if first["partition"] else ""
        line = Text(f"  {where}")
        line.append(first["format"], style="kind")
        line.append(f"  {words.value(first['summary'])}")
        parts.append(line)
        parts.append(
            Text(f"  {words.digest(first['digest'])}, {words.size(first['size_bytes'])}", "quiet")
        )
        if first["unsafe"]:
            parts.append(Text("  stored as a pickle: load it only if you trust its origin", "warn"))
    else:
        parts.append(Text(f"  {len(values)} partitions"))
        parts.append(_partitions(values))
    made = ", ".join(node["made_in"])
    if made:
        parts.append(Text(f"  made in {made}, {words.duration(node['duration_s'])}", "quiet"))
    parts += _value_lines(value, values, rows, width)
    if node.get("written"):
        parts.append(Text(f"✓ {node['written']}", style="ok"))
    elif values and values[0]["format"] == "figure":
        parts.append(Text(f"  see it: whence show {node['name']} --out {_file_for(node)}"))
    if node["recipe"]:
        parts += _recipe_lines(node["recipe"])
    return Group(*parts)


def _file_for(node: Mapping[str, Any]) -> str:
    kinds = node["values"][0]["summary"].get("kinds") or ["png"]
    return f"{node['name']}.{kinds[0]}"


def _partitions(values: list[Mapping[str, Any]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    from whence.cli import words

    table = Table(box=None, pad_edge=False, show_header=False)
    for value in values:
        digest = Text(words.digest(value["digest"]), style="quiet")
        table.add_row(f"    {value['partition']}", words.value(value["summary"]), digest)
    return table


def _value_lines(value: Any, values: list[Mapping[str, Any]], rows: int, width: int) -> list[Any]:
    import json

    from rich.text import Text

    if value is None or values[0]["format"] == "figure":
        return []
    if values[0]["format"] == "table":
        return [Text(""), _table(value, rows, width)]
    if isinstance(value, str):
        return [Text(""), *_cut(value)]
    if isinstance(value, dict | list):
        return [Text(""), *_cut(json.dumps(value, indent=2, ensure_ascii=False, default=str))]
    return []  # a number: the first lines tell it


def _cut(text: str, limit: int = 40) -> list[Any]:
    """The first lines of a text, and how many there are."""
    from rich.text import Text

    lines = text.rstrip().splitlines()
    shown = [Text(line if len(line) <= 400 else line[:399] + "…") for line in lines[:limit]]
    if len(lines) > limit:
        shown.append(Text(f"… {len(lines) - limit:,} more lines", style="quiet"))
    return shown


def _table(value: Any, rows: int, width: int) -> Any:
    """The first rows, under each other where they fit, else a line for each column."""
    from rich.table import Table
    from rich.text import Text

    names = [field.name for field in value.schema]
    types = [str(field.type) for field in value.schema]
    found = value.slice(0, rows).to_pylist()
    columns = [[_cell(row[name]) for row in found] for name in names]
    numeric = [kind.startswith(("int", "uint", "double", "float", "decimal")) for kind in types]
    widths = [
        max(map(len, [name, kind, *cells]))
        for name, kind, cells in zip(names, types, columns, strict=True)
    ]
    if sum(widths) + 2 * len(widths) <= width:
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="")
        for name, kind, right in zip(names, types, numeric, strict=True):
            head = Text.assemble((name, "name"), "\n", (kind, "kind"))
            table.add_column(head, justify="right" if right else "left", no_wrap=True)
        for i in range(len(found)):
            table.add_row(*(Text(cells[i]) for cells in columns))
        return table
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    room = width - max(map(len, names)) - max(map(len, types)) - 4
    fitting = 0
    for i in range(len(found)):
        room -= max((len(cells[i]) for cells in columns), default=0) + 2
        if room < 0:
            break
        fitting += 1
    for name, kind, cells in zip(names, types, columns, strict=True):
        shown = (Text(cell) for cell in cells[: max(fitting, 1)])
        table.add_row(Text(name, style="name"), Text(kind, style="kind"), *shown)
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value).replace("\n", "⏎")
    return text if len(text) <= 40 else text[:39] + "…"


def _recipe_lines(recipes: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """The recipe; of several partitions the first one, since the others differ in inputs."""
    from rich.table import Table
    from rich.text import Text

    from whence.cli import words

    partition, recipe = next(iter(recipes.items()))
    title = Text(f"recipe{f' of [{partition}]' if partition else ''}", style="name")
    if len(recipes) > 1:
        title.append(f"  ({len(recipes) - 1} more: --partition KEY)", style="quiet")
    table = Table(box=None, pad_edge=False, show_header=False)
    for heading in ("definitions", "inputs", "params", "traits", "environment"):
        for i, (name, value) in enumerate(recipe[heading].items()):
            hashed = value.startswith(("sha256:", "blake3:"))
            shown = Text(words.digest(value), style="quiet") if hashed else Text(value)
            first = Text(f"  {heading if i == 0 else ''}", style="kind")
            table.add_row(first, Text(name), shown)
    return [Text(""), title, table]
