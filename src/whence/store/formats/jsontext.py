"""Canonical JSON as bytes: how small values and listings are spelled."""

from __future__ import annotations

import json

# Keys are sorted: a dict's order is no part of its value. Text stays as it is: escapes would merge
# a pair of lone surrogates into one character.
_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
).encode


def json_bytes(value: object) -> bytes:
    """Canonical JSON: equal values spell equal bytes.

    Raises
    ------
    ValueError
        For an int of more than 4,300 digits.
    """
    return _encode(value).encode("utf-8", "surrogatepass")


def from_json_bytes(data: bytes) -> object:
    return json.loads(data.decode("utf-8", "surrogatepass"))
