"""What a format is, and what it is handed while it writes and reads."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from whence.errors import ValueFault
from whence.store.artifact import INLINE_LIMIT, Artifact, blob_digest, content_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from whence.graph.digest import Digest
    from whence.store.artifact import JSON
    from whence.store.blobs import Blobs


@dataclass(slots=True)
class Writing:
    """One call of `encode`: where to, for whom, and the child artifacts made so far."""

    blobs: Blobs
    node: str
    key: Sequence[str] = ()
    allow_pickle: bool = False
    is_project: Callable[[str], bool] = field(default=lambda module: False)
    children: dict[Digest, Artifact] = field(default_factory=dict)

    def store(
        self,
        name: str,
        data: bytes,
        *,
        encoding: str,
        version: int = 1,
        digest: Digest | None = None,
        summary: Mapping[str, JSON] | None = None,
        code_refs: Sequence[str] = (),
        distributions: Sequence[str] = (),
        unsafe: bool = False,
        children: Sequence[Digest] = (),
    ) -> Artifact:
        """The artifact of encoded bytes; its digest is that of the bytes unless given."""
        small = len(data) <= INLINE_LIMIT
        if small:
            blob = None
            digest = digest or content_digest(name, blob_digest(data))
        else:
            blob = self.blobs.put_bytes(data)
            digest = digest or content_digest(name, blob)
        return Artifact(
            digest,
            name,
            version,
            len(data),
            data if small else None,
            blob,
            encoding,
            summary or {},
            tuple(code_refs),
            tuple(distributions),
            unsafe,
            tuple(children),
        )


@dataclass(slots=True)
class Reading:
    """One call of `decode`: where from, and how to find child artifacts."""

    blobs: Blobs
    child: Callable[[Digest], Artifact]


class Codec(Protocol):
    """How one family of values is written and read."""

    name: str

    def encode(self, value: object, writing: Writing) -> Artifact: ...
    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object: ...


def reference(kind: type, node: str) -> str:
    """`kind` as "module:qualname", checked to lead back to it."""
    text = f"{kind.__module__}:{kind.__qualname__}"
    if resolve(text, missing_ok=True) is not kind:
        raise ValueFault(
            f"Node '{node}' returned an instance of {text.replace(':', '.')}, which cannot be "
            "imported under that name.",
            "define the class at the top level of a module.",
        )
    return text


def resolve(text: str, *, missing_ok: bool = False) -> object:
    """What "module:qualname" names; the module is imported."""
    from importlib import import_module

    module, _, qualname = text.partition(":")
    try:
        # Not from `sys.modules`: another thread may be in the middle of this very import.
        found: object = import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        if missing_ok:
            return None
        raise ValueFault(
            f"A stored value needs {text.replace(':', '.')}, which cannot be imported: {error}.",
            "restore that definition, or rebuild the node that made the value.",
        ) from error
    return found


def split_references(
    references: Sequence[str], is_project: Callable[[str], bool]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`references` ("module:qualname") as those of the project, and top names of third parties."""
    project, third = set(), set()
    for text in references:
        module = text.partition(":")[0]
        top = module.partition(".")[0]
        if is_project(module):
            project.add(text)
        elif top not in sys.stdlib_module_names and top != "whence":
            third.add(top)
    return tuple(sorted(project)), tuple(sorted(third))
