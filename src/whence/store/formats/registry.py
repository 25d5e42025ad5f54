"""Which format takes a value: by the names of its type and bases, importing nothing heavy."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.graph.digest import Digest
from whence.store.artifact import Artifact, blob_digest, content_digest
from whence.store.encoded import encoded_bytes
from whence.store.formats.codec import Reading, Writing, resolve, split_references
from whence.store.formats.faults import NoneReturned, WrongForm, type_name
from whence.store.formats.jsontext import json_bytes
from whence.store.formats.tree import TreeCodec
from whence.store.formats.values import BytesCodec, JsonCodec, TextCodec, is_plain, scalar_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whence.store.blobs import Blobs
    from whence.store.formats.codec import Codec

_JSON, _TEXT, _BYTES = JsonCodec(), TextCodec(), BytesCodec()

#: Format -> where its codec is. Imported on first use.
_CODECS = {
    "table": "frames:TableCodec",
    "numpy": "arrays:NumpyCodec",
    "tensors": "tensors:TensorCodec",
    "skops": "estimator:EstimatorCodec",
    "figure": "figure:FigureCodec",
    "directory": "directory:DirectoryCodec",
    "pickle": "pickles:PickleCodec",
}

#: "top-level package.Type", looked up for each class in a type's MRO.
_BY_TYPE = {
    "pandas.DataFrame": "table",
    "pandas.Series": "table",
    "polars.DataFrame": "table",
    "polars.LazyFrame": "table",
    "polars.Series": "table",
    "pyarrow.Table": "table",
    "pyarrow.RecordBatch": "table",
    "pyarrow.RecordBatchReader": "table",
    "duckdb.DuckDBPyRelation": "table",
    "_duckdb.DuckDBPyRelation": "table",
    "ibis.Table": "table",
    "builtins.generator": "table",
    "numpy.ndarray": "numpy",
    "torch.Tensor": "tensors",
    "torch.Module": "tensors",
    "sklearn.BaseEstimator": "skops",
    "matplotlib.Figure": "figure",
    "matplotlib.Axes": "figure",
    "plotly.BaseFigure": "figure",
    "altair.TopLevelMixin": "figure",
    "whence.Figure": "figure",
    "pathlib.Path": "directory",
}


@dataclass(frozen=True, slots=True)
class UserFormat:
    """A format that a project registered."""

    name: str
    version: int
    kind: type
    to_bytes: Callable[[Any], bytes]
    from_bytes: Callable[[bytes], Any]
    summarise: Callable[[Any], dict[str, Any]] | None


@dataclass(slots=True)
class _Registry:
    """Formats by name, and those of projects by type; one per process, filled by imports."""

    loaded: dict[str, Codec] = field(default_factory=dict)
    by_name: dict[str, UserFormat] = field(default_factory=dict)
    by_type: dict[type, UserFormat] = field(default_factory=dict)


_REGISTRY = _Registry()


def register_format(
    kind: type,
    *,
    name: str,
    to_bytes: Callable[[Any], bytes],
    from_bytes: Callable[[bytes], Any],
    version: int = 1,
    summarise: Callable[[Any], dict[str, Any]] | None = None,
) -> None:
    """Teach whence to store values of type `kind` (and its subclasses).

    Parameters
    ----------
    kind : type
        The values' type.
    name : str
        Of the format; it is part of the digest, as is `version`.
    to_bytes : function
        Value -> bytes. Equal values must give equal bytes: no addresses, dates or dict orders.
    from_bytes : function
        Bytes -> value; at the top level of a module, so that a reader can import it.
    version : int
        Raise it when the bytes change their meaning.
    summarise : function, optional
        Value -> what `whence show` prints, as a dict of JSON values.

    Raises
    ------
    ValueFault
        If the name belongs to another format.
    """
    known = _REGISTRY.by_name.get(name)
    if name in _CODECS or name in ("json", "text", "bytes", "tree"):
        raise ValueFault(f"The format name '{name}' belongs to whence.", "choose another name.")
    if known is not None and type_name(known.kind) != type_name(kind):
        raise ValueFault(
            f"The format name '{name}' is registered for {type_name(known.kind)} already.",
            "choose another name.",
        )
    made = UserFormat(name, version, kind, to_bytes, from_bytes, summarise)
    _REGISTRY.by_name[name] = made
    _REGISTRY.by_type[kind] = made


def encode(
    value: object,
    blobs: Blobs,
    *,
    node: str,
    key: Sequence[str] = (),
    allow_pickle: bool = False,
    is_project: Callable[[str], bool] | None = None,
) -> tuple[Artifact, list[Artifact]]:
    """Store what a node returned.

    Parameters
    ----------
    value : object
    blobs : Blobs
        Takes what is too big for the catalog.
    node : str
        Named in errors.
    key : sequence of str
        Columns that identify a row of a table; its rows are sorted by them.
    allow_pickle : bool
        Whether a value that no format takes may be pickled.
    is_project : function, optional
        Module name -> whether its definitions are the project's own.

    Returns
    -------
    artifact, children
        The children are all artifacts that it refers to, directly or not.

    Raises
    ------
    ValueFault
        For None, a type that no format takes, a duplicate key ...
    """
    if value is None:
        raise NoneReturned.of(node)
    writing = Writing(blobs, node, key, allow_pickle, is_project or _no_project)
    artifact = _encode(value, writing)
    return artifact, list(writing.children.values())


def decode(
    artifact: Artifact,
    blobs: Blobs,
    form: str | None = None,
    children: Callable[[Digest], Artifact] | None = None,
) -> object:
    """The value of an artifact, in the form asked for (see `form_of`)."""
    return _decode(artifact, Reading(blobs, children or _no_child), form)


def decode_union(
    parts: Sequence[tuple[str, Artifact]],
    blobs: Blobs,
    form: str | None = None,
    children: Callable[[Digest], Artifact] | None = None,
) -> object:
    """Partitions (key, artifact) as one value: tables joined in order, else a dict by key."""
    reading = Reading(blobs, children or _no_child)
    if parts and all(artifact.format == "table" for _, artifact in parts):
        from whence.store.formats.frames import TableCodec

        return TableCodec().decode_union(parts, reading, form)
    return {key: _decode(artifact, reading, form) for key, artifact in parts}


def compact(artifact: Artifact, blobs: Blobs) -> Artifact:
    """The same content in fewer bytes where there is a way (tables: Parquet)."""
    if artifact.format != "table":
        return artifact
    from whence.store.tables import compact_table

    return compact_table(artifact, blobs)


def _encode(value: object, writing: Writing) -> Artifact:
    kind = type(value)
    if kind is str:
        return _TEXT.encode(value, writing)
    if kind is bytes:
        return _BYTES.encode(value, writing)
    if writing.key and kind.__module__ == "builtins" and kind.__name__ != "generator":
        _refuse_key(value, writing)
    try:
        if is_plain(value):
            return _JSON.encode_data(json_bytes(value), scalar_summary(value), writing)
    except (ValueError, RecursionError):
        pass  # digits or depth that JSON does not take: the tree does, or says why not
    return _encode_other(value, writing, "")


def _encode_other(value: object, writing: Writing, where: str) -> Artifact:
    kind = type(value)
    user = _user_format(kind)
    if user is not None:
        return _encode_user(value, user, writing)
    name = _format_of(kind)
    if name is None and kind in (dict, OrderedDict) and _all_tensors(value):
        name = "tensors"
    if name is not None:
        if writing.key and name != "table":
            _refuse_key(value, writing)
        return _codec(name).encode(value, writing)
    if not where and _is_tree(kind):
        writing_children = Writing(
            writing.blobs,
            writing.node,
            (),
            writing.allow_pickle,
            writing.is_project,
            writing.children,
        )
        return _TREE.encode(value, writing_children)
    if hasattr(kind, "to_html") or hasattr(kind, "_repr_html_"):
        return _codec("figure").encode(value, writing)
    from whence.store.formats.pickles import PickleCodec

    return PickleCodec().encode(value, writing, where=where)


def _encode_child(value: object, writing: Writing, where: str) -> Artifact:
    child = _encode_other(value, writing, where or "its top")
    writing.children[child.digest] = child
    return child


def _decode_child(artifact: Artifact, reading: Reading) -> object:
    return _decode(artifact, reading, None)


_TREE = TreeCodec(_encode_child, _decode_child)


def _decode(artifact: Artifact, reading: Reading, form: str | None) -> object:
    name = artifact.format
    if name == "json":
        return _JSON.decode(artifact, reading, form)
    if name == "text":
        return _TEXT.decode(artifact, reading, form)
    if name == "bytes":
        return _BYTES.decode(artifact, reading, form)
    if name == "tree":
        return _TREE.decode(artifact, reading, form)
    if name in _CODECS:
        return _codec(name).decode(artifact, reading, form)
    return _decode_user(artifact, reading, form)


def _codec(name: str) -> Codec:
    found = _REGISTRY.loaded.get(name)
    if found is None:
        module, _, kind = _CODECS[name].partition(":")
        found = getattr(import_module(f"whence.store.formats.{module}"), kind)()
        _REGISTRY.loaded[name] = found
    return found


def _format_of(kind: type) -> str | None:
    for base in kind.__mro__:
        top = base.__module__.partition(".")[0]
        found = _BY_TYPE.get(f"{top}.{base.__name__}")
        if found is not None:
            return found
    return None


def _all_tensors(value: Any) -> bool:
    return bool(value) and all(
        type(key) is str and _format_of(type(item)) == "tensors" for key, item in value.items()
    )


def _is_tree(kind: type) -> bool:
    """True for what `tree` spells itself: containers, scalars, enums, dataclasses."""
    import enum

    from whence.store.formats import tree

    top = kind.__module__.partition(".")[0]
    return (
        kind in (dict, list, tuple, set, frozenset, int)
        or kind in tree.OWN_TYPES
        or issubclass(kind, enum.Enum)
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
        or (top == "numpy" and any(base.__name__ == "generic" for base in kind.__mro__))
        or (top == "pandas" and kind.__name__ in tree.PANDAS_TYPES)
        or "__dataclass_fields__" in vars(kind)
    )


def _user_format(kind: type) -> UserFormat | None:
    if not _REGISTRY.by_type:
        return None
    return next((f for base in kind.__mro__ if (f := _REGISTRY.by_type.get(base))), None)


def _encode_user(value: object, user: UserFormat, writing: Writing) -> Artifact:
    data = user.to_bytes(value)
    if not isinstance(data, bytes):
        raise ValueFault(
            f"to_bytes of the format '{user.name}' returned a {type(data).__name__}.",
            "return bytes.",
        )
    names = [f"{f.__module__}:{f.__qualname__}" for f in (user.from_bytes, user.kind)]
    refs, dists = split_references(sorted(names), writing.is_project)
    shown = user.summarise(value) if user.summarise else {"type": type_name(type(value))}
    return writing.store(
        user.name,
        data,
        encoding="user",
        version=user.version,
        digest=content_digest(f"user:{user.name}:{user.version}", blob_digest(data)),
        summary=shown,
        code_refs=refs,
        distributions=dists,
    )


def _decode_user(artifact: Artifact, reading: Reading, form: str | None) -> object:
    if artifact.format not in _REGISTRY.by_name:
        for text in artifact.code_refs:  # their module registers the format when imported
            resolve(text)
    user = _REGISTRY.by_name.get(artifact.format)
    if user is None or user.version != artifact.version:
        have = "no such format" if user is None else f"version {user.version}"
        raise ValueFault(
            f"The artifact {artifact.digest} has the format '{artifact.format}', version "
            f"{artifact.version}; this project registers {have}.",
            "import the module that calls whence.register_format, or rebuild the node.",
        )
    if form == "pathlib.Path":
        raise WrongForm.of(artifact.format, form)
    return user.from_bytes(encoded_bytes(artifact, reading.blobs))


def _refuse_key(value: object, writing: Writing) -> None:
    raise ValueFault(
        f"Node '{writing.node}' declares key={list(writing.key)} but returned a "
        f"{type_name(type(value))}, which has no rows.",
        "return a table, or remove key=.",
    )


def _no_project(module: str) -> bool:
    return False


def _no_child(digest: Digest) -> Artifact:
    raise ValueFault(
        f"The artifact {digest} is part of another one, but no way to find it was given.",
        "pass children= to decode().",
    )
