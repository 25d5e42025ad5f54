"""Builds: each evaluation of targets in a world, and the ones accepted as baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from whence.errors import UnknownId
from whence.graph.digest import Digest
from whence.store.catalog import leasing, texts
from whence.store.catalog.database import Database, Row, from_json, to_json
from whence.store.catalog.records import Acceptance, BuildRow, BuildStart
from whence.store.leases import Owner, is_alive

_COLUMNS = "build_id, started, finished, status, world, owner, details, counts"

#: Mixes, the counterfactual worlds of `whence why`, are builds that nobody asked for by name: they
#: have numbers below 0, so that the builds of people are numbered without gaps.
_NO_MIX = "build_id > 0"

#: After this silence a build on another machine is taken for dead. Longer than for leases: its
#: results are protected as long as it might come back.
SILENCE_S = 3600.0


def start(
    db: Database,
    what: BuildStart,
    owner: Owner,
    new_texts: Mapping[str, str] | None,
    mix: bool = False,
) -> int:
    """See `Catalog.start_build`."""
    details: dict[str, Any] = {
        "targets": what.targets,
        "params": dict(what.params),
        "git_commit": what.git_commit,
        "dirty": what.dirty,
        "argv": what.argv,
        "python": what.python,
        "host": what.host,
        "user": what.user,
    }

    def work() -> int:
        _interrupt_the_dead(db)
        leasing.beat(db, owner)
        if new_texts:
            texts.insert_texts(db, new_texts)
        values = (time.time(), what.world, owner.token, to_json(details))
        if mix:
            ((lowest,),) = db.query("SELECT MIN(build_id) FROM builds")
            build_id = min(lowest or 0, 0) - 1
            db.write(
                "INSERT INTO builds (build_id, started, status, world, owner, details, counts) "
                "VALUES (?, ?, 'running', ?, ?, ?, '{}')",
                (build_id, *values),
            )
            return int(build_id)
        ((build_id,),) = db.query(
            "INSERT INTO builds (started, status, world, owner, details, counts) "
            "VALUES (?, 'running', ?, ?, ?, '{}') RETURNING build_id",
            values,
        )
        return int(build_id)

    build_id = db.transact(work, exclusive=mix)  # two mixes must not take one number
    db.known_owners.add(owner.token)
    return build_id


def finish(db: Database, build_id: int, status: str, counts: Mapping[str, int]) -> None:
    """See `Catalog.finish_build`."""
    db.write(
        "UPDATE builds SET finished = ?, status = ?, counts = ? WHERE build_id = ?",
        (time.time(), status, to_json(dict(counts)), build_id),
    )


def running(db: Database) -> tuple[list[int], list[int]]:
    """Builds recorded as running: those that may well be, and those whose process is gone."""
    rows = db.query("SELECT build_id, owner FROM builds WHERE status = 'running'")
    owners = leasing.silences(db, sorted({token for _, token in rows}))
    alive: list[int] = []
    dead: list[int] = []
    for build_id, token in rows:
        (alive if _may_live(owners.get(token)) else dead).append(build_id)
    return alive, dead


def _may_live(known: tuple[Owner, float] | None) -> bool:
    if known is None:
        return False
    owner, silence_s = known
    lives = is_alive(owner)
    return silence_s < SILENCE_S if lives is None else lives


def _interrupt_the_dead(db: Database) -> None:
    for build_id in running(db)[1]:
        db.write(
            "UPDATE builds SET status = 'interrupted', finished = ? WHERE build_id = ?",
            (time.time(), build_id),
        )


def get(db: Database, build: int | str) -> BuildRow:
    """A build by number or name."""
    number = number_of(build)
    if number is not None:
        for row in db.query(f"SELECT {_COLUMNS} FROM builds WHERE build_id = ?", (number,)):
            return _row(db, row)
    raise _unknown(db, str(build), number)


def number_of(build: int | str) -> int | None:
    """12 for 12, "12" and "b12"; None for what names no build.

    Examples
    --------
    >>> number_of("b12"), number_of("latest")
    (12, None)
    """
    if isinstance(build, int):
        return build
    digits = build.strip().removeprefix("b")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return None
    return int(digits)


def _unknown(db: Database, name: str, number: int | None) -> UnknownId:
    rows = db.query(f"SELECT build_id FROM builds WHERE {_NO_MIX} ORDER BY build_id DESC LIMIT 8")
    known = ", ".join(f"b{build_id}" for (build_id,) in rows)
    if not known:
        return UnknownId(f"There is no build {name!r}: nothing was built.", "run `whence build`.")
    cause = f"There is no build {name!r}."
    if number is not None and 0 < number <= rows[0][0]:
        cause = f"Build {name!r} is gone: `whence gc` collected it."
    return UnknownId(cause, f"use one of the newest: {known}; `whence runs` lists all.")


def listing(db: Database, limit: int, before: int | None) -> list[BuildRow]:
    """Builds, newest first."""
    rows = db.query(
        f"SELECT {_COLUMNS} FROM builds WHERE build_id < ? AND {_NO_MIX} "
        "ORDER BY build_id DESC LIMIT ?",
        (2**62 if before is None else before, limit),
    )
    return [_row(db, row) for row in rows]


def latest(db: Database, status: str | None) -> BuildRow | None:
    """The newest build of a status."""
    where, values = ("", ()) if status is None else ("AND status = ?", (status,))
    sql = f"SELECT {_COLUMNS} FROM builds WHERE {_NO_MIX} {where} ORDER BY build_id DESC LIMIT 1"
    for row in db.query(sql, values):
        return _row(db, row)
    return None


def accept(db: Database, build: int | str, note: str) -> Acceptance:
    """See `Catalog.accept`."""

    def work() -> Acceptance:
        # In the same transaction: a build must not be collected between the look and the word.
        accepted_ = Acceptance(get(db, build).build_id, time.time(), note)
        db.write(
            "INSERT INTO acceptances (build_id, time, note) VALUES (?, ?, ?)",
            (accepted_.build_id, accepted_.time, accepted_.note),
        )
        return accepted_

    return db.transact(work)


def accepted(db: Database) -> BuildRow | None:
    """The build accepted last."""
    for acceptance in acceptances(db)[:1]:
        return get(db, acceptance.build_id)
    return None


def acceptances(db: Database) -> list[Acceptance]:
    """Every acceptance, newest first."""
    rows = db.query("SELECT build_id, time, note FROM acceptances ORDER BY acceptance_id DESC")
    return [Acceptance(*row) for row in rows]


def _row(db: Database, row: Row) -> BuildRow:
    build_id, started, finished, status, world, owner, details, counts = row
    known = from_json(db, details)
    what = BuildStart(
        targets=tuple(known["targets"]),
        world=Digest(world),
        params=known["params"],
        git_commit=known["git_commit"],
        dirty=known["dirty"],
        argv=tuple(known["argv"]),
        python=known["python"],
        host=known["host"],
        user=known["user"],
    )
    return BuildRow(build_id, what, started, finished, status, from_json(db, counts), owner)
