"""NumPy arrays as .npy files: the header is ours, so equal arrays give equal bytes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.store.artifact import INLINE_LIMIT, Artifact, blob_digest, content_digest
from whence.store.encoded import encoded_file
from whence.store.formats.faults import UnknownType, WrongForm

if TYPE_CHECKING:
    from whence.store.formats.codec import Reading, Writing

_MAGIC = b"\x93NUMPY"


class NumpyCodec:
    """numpy.ndarray of numbers, booleans, fixed-width text, dates or records of these."""

    name = "numpy"

    def encode(self, value: Any, writing: Writing) -> Artifact:
        import numpy as np

        if type(value) not in (np.ndarray, np.memmap):
            raise UnknownType.of(writing.node, value, why="a subclass of ndarray")
        if value.dtype.hasobject or value.dtype.kind == "T":
            raise ValueFault(
                f"Node '{writing.node}' returned an array of dtype {value.dtype}, whose elements "
                "are Python objects.",
                "return a list or a table, or convert with astype() to a number or 'U' dtype.",
            )
        array = without_padding(np.asarray(value))
        data = np.ascontiguousarray(array).reshape(-1)
        with writing.blobs.writer(inline_limit=INLINE_LIMIT) as out:
            out.write(_header(array))
            if data.nbytes:
                out.write(data.view(np.uint8).data)
        digest = out.blob or blob_digest(out.inline or b"")
        return Artifact(
            digest=content_digest("numpy", digest),
            format="numpy",
            version=1,
            size_bytes=out.size,
            inline=out.inline,
            blob=out.blob,
            encoding="npy",
            summary={"type": "array", "dtype": str(array.dtype), "shape": list(array.shape)},
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        import numpy as np

        if form not in (None, "numpy.ndarray"):
            raise WrongForm.of("numpy", form)
        where = encoded_file(artifact, reading.blobs)
        if isinstance(where, BytesIO):
            array = np.load(where, allow_pickle=False)
        else:
            array = np.asarray(np.load(where, mmap_mode="r", allow_pickle=False))
        # Read-only in both cases: what a consumer may do must not depend on the size.
        array.flags.writeable = False
        return array


def _header(array: Any) -> bytes:
    import numpy as np

    descr: Any = np.lib.format.dtype_to_descr(array.dtype)
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {array.shape!r}, }}"
    body = text.encode()
    padding = -(len(_MAGIC) + 2 + 4 + len(body) + 1) % 64
    body += b" " * padding + b"\n"
    return _MAGIC + b"\x03\x00" + len(body).to_bytes(4, "little") + body


def without_padding(array: Any) -> Any:
    """Records rebuilt field by field: the bytes between fields are left from earlier use."""
    import numpy as np

    if array.dtype.fields is None:
        return array
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = without_padding(array[name])
    return clean
