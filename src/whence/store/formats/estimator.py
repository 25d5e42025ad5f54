"""scikit-learn estimators through skops, made canonical: equal estimators, equal bytes.

skops writes object addresses as ids and file names, and the time into the archive. Here ids are
numbered in the order of the document, files are named after them, dates are fixed.
"""

from __future__ import annotations

import io
import json
import warnings
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.store.artifact import blob_digest, content_digest
from whence.store.encoded import encoded_bytes
from whence.store.formats.archive import pack_archive, unpack_archive
from whence.store.formats.codec import split_references
from whence.store.formats.faults import WrongForm, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from whence.store.artifact import Artifact
    from whence.store.formats.codec import Reading, Writing

_TRUSTED = frozenset({"sklearn", "numpy", "scipy"})
_SCHEMA = "schema.json"
# Values that cannot change: whether two places hold the same object is no part of the estimator.
_IMMUTABLE = frozenset({"JsonNode", "TypeNode", "FunctionNode", "DtypeNode", "TupleNode"})


class EstimatorCodec:
    """Anything derived from sklearn.base.BaseEstimator that skops can write and read back."""

    name = "skops"

    def encode(self, value: object, writing: Writing) -> Artifact:
        try:
            members = dump_canonical(value, writing.is_project)
        except _NotCanonical as error:
            from whence.store.formats.pickles import PickleCodec

            return PickleCodec().encode(value, writing, why=str(error))
        schema = json.loads(members[_SCHEMA])
        refs, dists = split_references(sorted(_references(schema)), writing.is_project)
        schema.pop("_skops_version", None)  # says who wrote it, not what it is
        parts: list[str | bytes] = [json.dumps(schema)]
        for name, data in members.items():
            if name != _SCHEMA:
                parts += [name, blob_digest(data)]
        return writing.store(
            "skops",
            pack_archive(members),
            encoding="zip",
            digest=content_digest("skops", *parts),
            summary={"type": type_name(type(value)), "value": " ".join(repr(value).split())[:300]},
            code_refs=refs,
            distributions=dists,
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        if form is not None:
            raise WrongForm.of("skops", form)
        own = {text.partition(":")[0] for text in artifact.code_refs}
        data = encoded_bytes(artifact, reading.blobs)
        try:
            return _load(data, lambda module: module in own)
        except _NotCanonical as error:
            raise ValueFault(
                f"The estimator {artifact.digest} cannot be loaded: {error}.",
                "rebuild the node that made it.",
            ) from error


class _NotCanonical(Exception):
    """skops cannot write this, or does not read it back as it was."""


def dump_canonical(value: object, is_project: Callable[[str], bool]) -> dict[str, bytes]:
    """Members of the canonical archive; what is read back from it dumps to the same again."""
    members = _dump(value)
    again = _dump(_load(pack_archive(members), is_project))
    if again != members:
        raise _NotCanonical("skops does not read it back as it was")
    return members


def _dump(value: object) -> dict[str, bytes]:
    from skops.io import dumps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = dumps(value)
    except Exception as error:
        # skops has no error of its own for this: it raises whatever its nodes meet.
        raise _NotCanonical(f"skops cannot write it ({type(error).__name__}: {error})") from error
    return _canonical(unpack_archive(data))


def _load(data: bytes, is_project: Callable[[str], bool]) -> object:
    from skops.io import get_untrusted_types, loads

    wanted = get_untrusted_types(data=data)
    foreign = [
        name
        for name in wanted
        if name.partition(".")[0] not in _TRUSTED
        and name != "functools.partial"  # what it calls is listed on its own
        and not _of_project(name, is_project)
    ]
    if foreign:
        raise _NotCanonical(f"it holds types that are not trusted: {', '.join(foreign)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return loads(data, trusted=wanted)
    except Exception as error:
        raise _NotCanonical(f"skops cannot read it ({type(error).__name__}: {error})") from error


def _of_project(name: str, is_project: Callable[[str], bool]) -> bool:
    parts = name.split(".")
    return any(is_project(".".join(parts[:n])) for n in range(len(parts) - 1, 0, -1))


def _canonical(members: dict[str, bytes]) -> dict[str, bytes]:
    schema = json.loads(members[_SCHEMA])
    _sort_sets(schema)
    ids: dict[int, int] = {}
    files: dict[str, str] = {}
    _renumber(schema, ids, files)
    made = {_SCHEMA: json.dumps(schema, separators=(",", ":")).encode()}
    for old, new in files.items():
        data = members[old]
        if data[:2] == b"PK":  # a sparse matrix: an archive of its own, with dates of its own
            data = pack_archive(unpack_archive(data))
        elif new.endswith(".npy") and b"'|V" in data[:1024]:
            data = _without_padding(data)
        made[new] = data
    return made


def _without_padding(data: bytes) -> bytes:
    """Records (the nodes of trees) with zeros between their fields, where old memory shows."""
    import numpy as np

    from whence.store.formats.arrays import without_padding

    sink = io.BytesIO()
    np.save(sink, without_padding(np.load(io.BytesIO(data), allow_pickle=False)))
    return sink.getvalue()


def _renumber(node: Any, ids: dict[int, int], files: dict[str, str]) -> None:
    for part in _dicts(node):
        if "__id__" in part:
            if part.get("__loader__") in _IMMUTABLE:
                ids[-len(ids) - 1] = len(ids)  # a number nobody else has
                part["__id__"] = len(ids) - 1
            else:
                part["__id__"] = ids.setdefault(part["__id__"], len(ids))
        name = part.get("file")
        if isinstance(name, str):
            suffix = name.rpartition(".")[2]
            part["file"] = files.setdefault(name, f"{len(files)}.{suffix}")


def _sort_sets(node: Any) -> None:
    for part in _dicts(node):
        if part.get("__loader__") == "SetNode" and isinstance(part.get("content"), list):
            part["content"].sort(key=_without_ids)


def _without_ids(node: Any) -> str:
    copied = json.loads(json.dumps(node))
    for part in _dicts(copied):
        part.pop("__id__", None)
    return json.dumps(copied)


def _references(schema: Any) -> set[str]:
    found = set()
    for part in _dicts(schema):
        names = part.get("__class__"), part.get("__module__")
        if all(isinstance(name, str) for name in names):
            found.add(f"{names[1]}:{names[0]}")
        names = part.get("function"), part.get("module_path")
        if all(isinstance(name, str) for name in names):
            found.add(f"{names[1]}:{names[0]}")
    return found


def _dicts(node: Any) -> Iterator[dict[str, Any]]:
    """Every dict in the document, in its order."""
    waiting: list[Any] = [node]
    while waiting:
        part = waiting.pop()
        inner: Sequence[Any] = ()
        if isinstance(part, dict):
            yield part
            inner = list(part.values())
        elif isinstance(part, list):
            inner = part
        waiting.extend(reversed(inner))
