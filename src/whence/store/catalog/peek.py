"""The one question of a build that has nothing to do: is the store still what it was?

Kept apart and without imports beyond the SQLite module itself, because starting up is what such a
build pays for.
"""

from __future__ import annotations

try:
    import _sqlite3 as sqlite  # without the date and time modules that `sqlite3` brings along
except ImportError:
    import sqlite3 as sqlite  # type: ignore[no-redef]


def peek(path: str) -> tuple[int, int] | None:
    """Schema version and generation of the catalog file at `path`, without changing it.

    Parameters
    ----------
    path : str
        The catalog's file (not a URL).

    Returns
    -------
    (int, int) or None
        None where the file cannot be read as a catalog: then open it, which says why.
    """
    # Percent signs and the two characters that end a path in a URI must be spelled out.
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    try:
        connection = sqlite.connect(f"file:{quoted}?mode=ro", uri=True, timeout=5.0)
        try:
            rows = connection.execute(
                "SELECT key, value FROM meta WHERE key IN ('generation', 'schema_version')"
            ).fetchall()
        finally:
            connection.close()
        known = dict(rows)
        return int(known["schema_version"]), int(known["generation"])
    except (sqlite.Error, KeyError, ValueError):
        return None
