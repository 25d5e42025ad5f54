"""What the store knows about one value: the descriptor that the catalog keeps.

The bytes themselves live inline (small values) or in a blob. Two artifacts share a digest exactly
when no consumer could tell their values apart (see `docs/model.md`, "Values").
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from blake3 import blake3

from whence.graph.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Encoded values up to this many bytes live in the catalog, larger ones become blobs.
INLINE_LIMIT = 16 * 1024

JSON = None | bool | int | float | str | list[Any] | dict[str, Any]


def blob_digest(data: bytes) -> Digest:
    """Blake3 of encoded bytes: the address of a blob."""
    return Digest("blake3:" + blake3(data).hexdigest())


def content_digest(family: str, *parts: str | bytes) -> Digest:
    """Digest of a value's content: `family` keeps b"x", "x" and 'the file x' apart.

    Each part is written with its length, so no two different sequences spell the same bytes.

    Examples
    --------
    >>> content_digest("text", "ab", "c") == content_digest("text", "a", "bc")
    False
    """
    pieces = [b"whence:", family.encode()]
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        pieces.append(b"\n%d:" % len(data))
        pieces.append(data)
    return Digest("blake3:" + blake3(b"".join(pieces)).hexdigest())


class Artifact(NamedTuple):
    """An immutable value in the store, addressed by the digest of its content.

    Parameters
    ----------
    digest : Digest
        Of the content, whatever wrote it and however it is encoded.
    format : str
        Name of the format that decodes it: "json", "table", "numpy", "skops" ...
    version : int
        Version of that format's codec.
    size_bytes : int
        Of the encoded bytes, children not included.
    inline : bytes or None
        The encoded bytes of a small value; exactly one of `inline` and `blob` is set.
    blob : Digest or None
        Address of the encoded bytes in the store's blobs.
    encoding : str
        How the bytes are encoded: "json", "utf-8", "arrow", "parquet", "npy", "zip" ...
    summary : mapping
        What people are shown: rows and columns, shape, the value of a scalar.
    code_refs : tuple of str
        Definitions of the project that loading needs, as "module:qualname".
    distributions : tuple of str
        Top-level import names of third-party packages that loading needs ("sklearn").
    unsafe : bool
        True where loading runs code from the artifact (pickle), here or in a child.
    children : tuple of Digest
        Artifacts that this one is made of ("tree", "directory").
    """

    digest: Digest
    format: str
    version: int
    size_bytes: int
    inline: bytes | None
    blob: Digest | None
    encoding: str
    summary: Mapping[str, JSON] = {}
    code_refs: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    unsafe: bool = False
    children: tuple[Digest, ...] = ()

    def __hash__(self) -> int:
        return hash(self.digest)

    def to_json(self) -> dict[str, JSON]:
        """As plain JSON; `inline` in base64."""
        return {
            "digest": self.digest,
            "format": self.format,
            "version": self.version,
            "size_bytes": self.size_bytes,
            "inline": None if self.inline is None else b64encode(self.inline).decode("ascii"),
            "blob": self.blob,
            "encoding": self.encoding,
            "summary": dict(self.summary),
            "code_refs": list(self.code_refs),
            "distributions": list(self.distributions),
            "unsafe": self.unsafe,
            "children": list(self.children),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Artifact:
        """The artifact that `to_json` wrote down."""
        inline = data["inline"]
        return cls(
            digest=Digest(data["digest"]),
            format=data["format"],
            version=data["version"],
            size_bytes=data["size_bytes"],
            inline=None if inline is None else b64decode(inline),
            blob=None if data["blob"] is None else Digest(data["blob"]),
            encoding=data["encoding"],
            summary=cast("dict[str, JSON]", data["summary"]),
            code_refs=tuple(data["code_refs"]),
            distributions=tuple(data["distributions"]),
            unsafe=data["unsafe"],
            children=tuple(Digest(child) for child in data["children"]),
        )
