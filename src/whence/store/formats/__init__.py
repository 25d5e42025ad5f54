"""Formats: how values become artifacts, and artifacts the form that a consumer asks for.

Main path: `registry.py` (which format takes a value) -> `values.py`, `tree.py` (plain Python) ->
`frames.py` (tables) -> `arrays.py`, `tensors.py`, `estimator.py`, `figure.py`, `directory.py` ->
`pickles.py` (the flagged last resort).
"""

from whence.store.encoded import encoded_bytes
from whence.store.formats.codec import Reading, Writing
from whence.store.formats.faults import NoneReturned, UnknownType, WrongForm
from whence.store.formats.forms import form_of
from whence.store.formats.registry import (
    compact,
    decode,
    decode_union,
    encode,
    register_format,
)

__all__ = [
    "NoneReturned",
    "Reading",
    "UnknownType",
    "Writing",
    "WrongForm",
    "compact",
    "decode",
    "decode_union",
    "encode",
    "encoded_bytes",
    "form_of",
    "register_format",
]
