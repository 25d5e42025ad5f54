"""Digests of texts: how the graph names what it compares.

Texts are hashed with SHA-256 from the standard library; artifact contents are hashed with blake3
in the store. Every digest is spelled with its algorithm, so the two can never be confused.
"""

from __future__ import annotations

import hashlib
import json
from typing import NewType

Digest = NewType("Digest", str)
Fingerprint = NewType("Fingerprint", str)


def digest_text(kind: str, *parts: str) -> Digest:
    """SHA-256 of `parts`, in order, prefixed by what they are.

    Each part is written with its length, so no two different sequences spell the same text.

    Examples
    --------
    >>> digest_text("word", "ab", "c") == digest_text("word", "a", "bc")
    False
    """
    pieces = [kind.encode()]
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        pieces.append(b"\n%d:" % len(data))
        pieces.append(data)
    return Digest("sha256:" + hashlib.sha256(b"".join(pieces)).hexdigest())


def digest_bytes(data: bytes) -> Digest:
    """SHA-256 of a file's bytes."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def canonical_json(value: object) -> str:
    """`value` as JSON with sorted keys and no spaces: equal values spell equal texts.

    Raises
    ------
    TypeError
        If `value` holds anything but None, bool, int, float, str, list, tuple and dict.

    Examples
    --------
    >>> canonical_json({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1.0}'
    """
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
