"""Messages between the coordinator and a worker: a length, then a pickle, over a socket pair.

Stands in for `multiprocessing.connection`, which costs a dozen imports and, for each message, a
pickler of its own and twice the system calls.
"""

from __future__ import annotations

import pickle
import struct
from os import close, read, write
from typing import Any

_LENGTH = struct.Struct("!Q")
_CHUNK = 1 << 16


class Channel:
    """One end of a connected pair of blocking sockets, by its file descriptor, which it owns."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._held = b""  # what was read of the message to come

    def fileno(self) -> int:
        """The file descriptor, to wait for."""
        return self._handle

    def send(self, message: Any) -> None:
        """Send any object that pickles.

        Raises
        ------
        BrokenPipeError, ConnectionResetError
            If the other end is closed.
        """
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        left = memoryview(_LENGTH.pack(len(data)) + data)
        while left:
            left = left[write(self._handle, left) :]

    def receive(self) -> Any:
        """The next message, waiting for it.

        Raises
        ------
        EOFError, ConnectionResetError
            If the other end is closed before a whole message came.
        """
        data = self._more(self._held, _LENGTH.size)
        end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
        data = self._more(data, end)
        self._held = data[end:]
        return pickle.loads(memoryview(data)[_LENGTH.size : end])

    def _more(self, data: bytes, size: int) -> bytes:
        """`data`, and what comes after it, at least `size` bytes in all."""
        if len(data) >= size:
            return data
        parts, count = [data], len(data)
        while count < size:
            part = read(self._handle, max(_CHUNK, min(size - count, _CHUNK * 16)))
            if not part:
                raise EOFError
            parts.append(part)
            count += len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close this end."""
        close(self._handle)
