"""Served answers, each traceable to the build that gave it."""

from __future__ import annotations

from collections.abc import Sequence

from whence.errors import UnknownId
from whence.store.catalog.database import Database, clean
from whence.store.catalog.records import PredictionRecord

_COLUMNS = "id, service, build_id, time, request, answer, latency_ms"


def add(db: Database, rows: Sequence[PredictionRecord]) -> None:
    """Keep answers in one transaction; one that is kept already stays as it is."""
    values = [
        (row.id, row.service, row.build_id, row.time, clean(row.request), clean(row.answer),
         row.latency_ms)
        for row in rows
    ]  # fmt: skip
    sql = (
        f"INSERT INTO predictions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO NOTHING"
    )
    if values:
        db.transact(lambda: db.write_many(sql, values))


def get(db: Database, prediction_id: str) -> PredictionRecord:
    """One answer; `UnknownId` where there is none."""
    for row in db.query(f"SELECT {_COLUMNS} FROM predictions WHERE id = ?", (prediction_id,)):
        return PredictionRecord(*row)
    raise UnknownId(
        f"There is no prediction {prediction_id!r} in {db.url}.",
        "use the id in the service's answer, and the catalog that the service writes to.",
    )


def count(db: Database, service: str | None) -> int:
    """How many answers are kept."""
    where, values = ("", ()) if service is None else ("WHERE service = ?", (service,))
    ((number,),) = db.query(f"SELECT COUNT(*) FROM predictions {where}", values)
    return int(number)


def listing(db: Database, service: str | None, limit: int) -> list[PredictionRecord]:
    """Answers, newest first."""
    where, values = ("", ()) if service is None else ("WHERE service = ?", (service,))
    sql = f"SELECT {_COLUMNS} FROM predictions {where} ORDER BY time DESC, id LIMIT ?"
    return [PredictionRecord(*row) for row in db.query(sql, (*values, limit))]
