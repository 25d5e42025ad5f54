"""Pickle, the flagged last resort: loading one runs code that the artifact names."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.store.encoded import encoded_bytes
from whence.store.formats.codec import split_references
from whence.store.formats.faults import UnknownType, type_name

if TYPE_CHECKING:
    from whence.store.artifact import Artifact
    from whence.store.formats.codec import Reading, Writing


class PickleCodec:
    """Any value that pickle takes, where the node is declared with allow_pickle=True."""

    name = "pickle"

    def encode(
        self, value: object, writing: Writing, *, where: str = "", why: str = ""
    ) -> Artifact:
        if not writing.allow_pickle:
            raise UnknownType.of(writing.node, value, where, why)
        try:
            data = pickle.dumps(value, protocol=5)
            recorder = _Recorder(io.BytesIO(data))
            recorder.load()
        except Exception as error:
            raise ValueFault(
                f"Node '{writing.node}' returned a {type_name(type(value))} that pickle cannot "
                f"write and read back: {type(error).__name__}: {error}.",
                "return something else, or register a format for it.",
            ) from error
        refs, dists = split_references(sorted(recorder.found), writing.is_project)
        return writing.store(
            "pickle",
            data,
            encoding="pickle5",
            summary={"type": type_name(type(value))},  # a repr may show an address
            code_refs=refs,
            distributions=dists,
            unsafe=True,
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        return pickle.loads(encoded_bytes(artifact, reading.blobs))


class _Recorder(pickle.Unpickler):
    """Reads a pickle back and notes every definition that it asks for."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.found: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.found.add(f"{module}:{name}")
        return super().find_class(module, name)
