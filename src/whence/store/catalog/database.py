"""What the catalog needs of a database: one dialect of SQL, whole transactions, clear faults.

Statements are written for SQLite ("?" for values) and run unchanged on PostgreSQL, apart from the
few words in `Dialect`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

from whence.errors import CorruptCatalog

T = TypeVar("T")
Row = tuple[Any, ...]

#: How many values go into one "IN (...)": well below any limit, large enough to be quick.
CHUNK = 500


class Dialect(NamedTuple):
    """The words in which the two databases differ."""

    name: str
    serial: str  # type of an automatic key that is never used twice
    counter: str  # the same, but cheaper, and the last ones may be used again
    key: str  # type of a text that is compared byte by byte
    integer: str
    real: str
    blob: str
    packed: str  # suffix of a table that is stored in the order of its key
    now: str  # seconds since the epoch by the database's clock


class Database(Protocol):
    """One connection; safe to share between threads, not between processes."""

    dialect: Dialect
    url: str
    #: Tokens of the lease owners that this connection has made known.
    known_owners: set[str]

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a statement."""
        ...

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; how many rows it changed."""
        ...

    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of `rows`."""
        ...

    def transact(
        self, work: Callable[[], T], *, exclusive: bool = False, rollback: bool = False
    ) -> T:
        """Run `work` in one write transaction; again where another transaction was in its way.

        `exclusive` keeps every other writer out; `rollback` undoes all of it in the end.
        """
        ...

    def tables(self) -> set[str]:
        """Names of the tables that exist."""
        ...

    def backup(self, label: str) -> str:
        """Copy everything consistently; say where the copy is."""
        ...

    def check(self) -> list[str]:
        """What is damaged, in words."""
        ...

    def compact(self) -> None:
        """Give space that is no longer used back to the system, as far as that is cheap."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """`values` in lists of at most `size`."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def marks(values: Sequence[object]) -> str:
    """One "?" for each value.

    Examples
    --------
    >>> marks("abc")
    '?,?,?'
    """
    return ",".join("?" * len(values))


def to_json(value: object) -> str:
    """Compact JSON in ASCII, so that any character at all can be kept in any database."""
    return _encode(value)


_encode = json.JSONEncoder(separators=(",", ":")).encode


def from_json(db: Database, text: str) -> Any:
    """What `to_json` wrote; a text that is no JSON means a damaged catalog."""
    try:
        return json.loads(text)
    except ValueError:
        raise CorruptCatalog(
            f"The catalog {db.url} holds a damaged row: {text[:60]!r} is not JSON.",
            "run `whence check`, which names all that is damaged and the backups there are.",
        ) from None


def clean(text: str) -> str:
    """`text` without the characters that a database refuses (NUL, lone surrogates)."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
