"""JSON, text and bytes: the small values that most nodes return. Nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blake3 import blake3

from whence.graph.digest import Digest
from whence.store.artifact import INLINE_LIMIT, Artifact
from whence.store.encoded import encoded_bytes
from whence.store.formats.faults import WrongForm
from whence.store.formats.jsontext import from_json_bytes, json_bytes

if TYPE_CHECKING:
    from whence.store.artifact import JSON
    from whence.store.formats.codec import Reading, Writing

ATOMS = frozenset({type(None), bool, int, float, str})
_LONG_TEXT = 200


def is_plain(value: Any) -> bool:
    """True when JSON gives `value` back with exactly the same types."""
    kind = type(value)
    if kind in ATOMS:
        return True
    if kind is dict:
        items = value.values()
        if any(type(key) is not str for key in value):
            return False
    elif kind is list:
        items = value
    else:
        return False
    return all(type(item) in ATOMS or is_plain(item) for item in items)


def scalar_summary(value: Any) -> dict[str, JSON]:
    """What is shown of a JSON-like value: a scalar itself, the size of a container."""
    kind = type(value)
    if kind is dict or kind is list:
        return {"type": kind.__name__, "size": len(value)}
    if kind is str and len(value) > _LONG_TEXT:
        return {"type": "str", "size": len(value), "value": value[:_LONG_TEXT] + "…"}
    return {"type": kind.__name__, "value": value}


class JsonCodec:
    """None, bool, int, float, str, list and dict with str keys, nested."""

    name = "json"

    def encode(self, value: object, writing: Writing) -> Artifact:
        return self.encode_data(json_bytes(value), scalar_summary(value), writing)

    def encode_data(self, data: bytes, summary: dict[str, JSON], writing: Writing) -> Artifact:
        size = len(data)
        if size > INLINE_LIMIT:
            return writing.store("json", data, encoding="json", summary=summary)
        # The same as `writing.store`, spelled out: this is the path of every tiny node.
        inner = blake3(data).hexdigest()
        digest = blake3(b"whence:json\n71:blake3:" + inner.encode()).hexdigest()
        return Artifact(Digest("blake3:" + digest), "json", 1, size, data, None, "json", summary)

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        if form == "pathlib.Path":
            raise WrongForm.of("json", form)
        return from_json_bytes(encoded_bytes(artifact, reading.blobs))


class TextCodec:
    """str, in UTF-8."""

    name = "text"

    def encode(self, value: object, writing: Writing) -> Artifact:
        assert isinstance(value, str)
        return writing.store(
            "text",
            value.encode("utf-8", "surrogatepass"),
            encoding="utf-8",
            summary=scalar_summary(value),
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        data = encoded_bytes(artifact, reading.blobs)
        if form == "bytes":
            return data
        if form == "pathlib.Path":
            return _as_file(artifact, data, "value.txt", reading)
        return data.decode("utf-8", "surrogatepass")


class BytesCodec:
    """bytes; also the content of one file."""

    name = "bytes"

    def encode(self, value: object, writing: Writing) -> Artifact:
        assert isinstance(value, bytes)
        return writing.store(
            "bytes", value, encoding="raw", summary={"type": "bytes", "size": len(value)}
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        data = encoded_bytes(artifact, reading.blobs)
        if form == "str":
            return data.decode()
        if form == "pathlib.Path":
            return _as_file(artifact, data, "value.bin", reading)
        return data


def _as_file(artifact: Artifact, data: bytes, name: str, reading: Reading) -> object:
    from whence.store.formats.directory import materialise

    return materialise(
        artifact.digest, {name: lambda target: _write(target, data)}, reading.blobs
    ).joinpath(name)


def _write(target: str, data: bytes) -> None:
    with open(target, "wb") as stream:
        stream.write(data)
