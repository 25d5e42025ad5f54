"""How numbers, times and changes are put into words for people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any


def size(n_bytes: float) -> str:
    """A size in the largest unit that leaves at least one: 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def duration(seconds: float) -> str:
    """A duration: 3 ms, 1.2 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(seconds: float | None) -> str:
    """A time since the epoch as local date and time."""
    if seconds is None:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def count(n: int, word: str) -> str:
    """ "1 task", "3 tasks"."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def digest(text: str) -> str:
    """The beginning of a digest, long enough to be told from others."""
    return text.partition(":")[2][:12] or text[:12]


def change(data: Mapping[str, Any]) -> str:
    """One change, as in the `changes` of a status or a diff: "scikit-learn 1.7.2 → 1.8.0"."""
    kind, name, before, after = (data[key] for key in ("kind", "name", "before", "after"))
    hashed = any(str(v).startswith(("sha256:", "blake3:")) for v in (before, after) if v)
    if kind in ("code", "input", "value", "source", "observed", "trait") or hashed:
        how = "is new" if before is None else "is gone" if after is None else "changed"
        return f"{name} {how}"
    old = "(absent)" if before is None else before
    new = "(absent)" if after is None else after
    return f"{name} {old} → {new}"


#: Characters of a text or a representation that a line has room for.
SHORT = 60


def value(summary: Mapping[str, Any]) -> str:
    """A value in a few words, on one line, from its artifact's summary.

    Examples
    --------
    >>> value({"type": "dict", "size": 1200})
    'dict of 1,200'
    >>> value({"type": "str", "value": "two\\nlines"})
    'two …'
    """
    kind = summary.get("type")
    if "rows" in summary:
        columns = summary.get("columns", ())
        return f"{summary['rows']:,} rows × {len(columns)} columns"
    if summary.get("value") is not None:
        return _scalar(summary)
    if kind == "figure":
        return f"picture ({', '.join(summary.get('kinds', ()))})"
    if kind == "array":
        shape = " × ".join(f"{n:,}" for n in summary["shape"]) or "one number"
        return f"{summary['dtype']}, {shape}"
    if kind == "tensors":
        return count(summary["size"], "tensor")
    if kind in ("file", "directory"):
        return f"{count(summary['files'], 'file')}, {size(summary['bytes'])}"
    if kind == "partitions":
        return count(summary["partitions"], "partition")
    if kind == "bytes":
        return size(summary["size"])
    if set(summary) == {"type", "size"}:
        return f"{str(kind).rpartition('.')[2]} of {summary['size']:,}"
    parts = [f"{key} {found}" for key, found in summary.items() if _is_short(found)]
    return ", ".join(parts)


def _scalar(summary: Mapping[str, Any]) -> str:
    found = summary["value"]
    if isinstance(found, bool):
        return str(found).lower()
    text = f"{found:.6g}" if isinstance(found, float) else shortened(str(found))
    if summary.get("low") is not None and summary.get("high") is not None:
        text += f" [{summary['low']:.4g}, {summary['high']:.4g}]"
    if summary.get("n") is not None:
        text += f", n = {summary['n']:,}"
    return text


def shortened(text: str, limit: int = SHORT) -> str:
    """The first line of a text, cut where it is long, with a mark where something is left out."""
    first, *rest = text.strip().splitlines() or [""]
    if len(first) > limit:
        return first[: limit - 1] + "…"
    return f"{first} …" if rest else first


def _is_short(found: object) -> bool:
    return isinstance(found, int | float | str) and len(str(found)) <= SHORT


def listed(names: Iterable[str], limit: int = 6) -> str:
    """The first names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more
