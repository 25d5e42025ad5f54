"""Forms: which in-memory form an annotation asks for, as one dotted name."""

from __future__ import annotations

import re

#: What `decode` can be asked for.
FORMS = frozenset(
    {
        "pandas.DataFrame",
        "pandas.Series",
        "polars.DataFrame",
        "polars.LazyFrame",
        "polars.Series",
        "pyarrow.Table",
        "pyarrow.RecordBatchReader",
        "duckdb.DuckDBPyRelation",
        "ibis.Table",
        "numpy.ndarray",
        "pathlib.Path",
        "bytes",
        "str",
    }
)

_ALIASES = {
    "pd": "pandas",
    "pl": "polars",
    "pa": "pyarrow",
    "np": "numpy",
    "npt": "numpy",
    "_duckdb": "duckdb",
    "builtins": "",
    "ir": "ibis",
    "Path": "pathlib.Path",
    "DuckDBPyRelation": "duckdb.DuckDBPyRelation",
    "LazyFrame": "polars.LazyFrame",
}
_NAMES = {"NDArray": "ndarray", "PosixPath": "Path"}
_OPTIONAL = re.compile(r"^(?:typing\.)?(?:Optional|Annotated|Final)\[(.*)\]$", re.DOTALL)


def form_of(annotation: object) -> str | None:
    """The form that an annotation asks for, or None for the natural one.

    Parameters
    ----------
    annotation : type or str
        A type, or its text: dotted names, the usual aliases, quotes, `| None`, Optional, Annotated.

    Examples
    --------
    >>> form_of("pd.DataFrame | None")
    'pandas.DataFrame'
    >>> form_of("pandas.core.frame.DataFrame")
    'pandas.DataFrame'
    >>> form_of("dict[str, float]") is None
    True
    """
    if isinstance(annotation, str):
        return _form_of_text(annotation.strip().strip("'\""))
    if isinstance(annotation, type) and not hasattr(annotation, "__origin__"):
        if not hasattr(annotation, "__args__"):
            return _form_of_text(f"{annotation.__module__}.{annotation.__qualname__}")
        return _form_of_text(f"{annotation.__module__}.{annotation.__qualname__}")
    return None if annotation is None else _form_of_text(str(annotation).strip())


def _form_of_text(text: str) -> str | None:
    if match := _OPTIONAL.match(text):
        return _form_of_text(_first_argument(match[1]))
    parts = [part.strip() for part in _split(text, "|")]
    parts = [part for part in parts if part not in ("None", "types.NoneType")]
    if len(parts) != 1:
        return None
    name = parts[0].strip("'\"")
    bare, bracket, _ = name.partition("[")
    if bracket and bare.rpartition(".")[2] not in ("NDArray", "ndarray"):
        return None
    if bare in _ALIASES:
        bare = _ALIASES[bare]
    top, _, rest = bare.partition(".")
    top = _ALIASES.get(top, top)
    last = rest.rpartition(".")[2]
    last = _NAMES.get(last, last)
    found = f"{top}.{last}" if top and last else (last or top)
    return found if found in FORMS else None


def _first_argument(text: str) -> str:
    return _split(text, ",")[0].strip()


def _split(text: str, separator: str) -> list[str]:
    """`text` at `separator`, not inside brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        if char in "[(":
            depth += 1
        elif char in "])":
            depth -= 1
        elif char == separator and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]
