"""From a class, a project and a seed to a scenario. Nothing here knows how causes are searched."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence

import datasets
import numpy as np
from benign import comment, functions
from library import Library, Make, Pair, Rng
from scenario import Change, Edit, NoMatch, Original, Scenario, Table

DOMAINS = {"flights": datasets.late_flights, "subscriptions": datasets.subscriptions}

#: |B - A| of a class's scenarios; the metric is an AUC, or an error of a logarithm near 0.4.
WINDOWS = {"weak": (0.006, 0.024), "masked": (0.008, 1.0)}
CLEAR = (0.024, 1.0)
QUIET = ("seed", "benign")

Drawn = tuple[list[Change], list[Change], list[frozenset[int]]]  # base, guilty, expected family


class Unlucky(Exception):
    """These draws make no scenario: the seed is skipped, and counted."""


def library(domain: str) -> Library:
    found: Library = importlib.import_module(domain).LIBRARY
    return found


def one(makes: Sequence[Make], rng: Rng) -> Change:
    return makes[int(rng.integers(len(makes)))](rng)


def singles(lib: Library, kind: str) -> list[Make]:
    return [m for ways in lib.killers.values() for m in ways.get(kind, [])] + lib.others.get(
        kind, []
    )


def alone(n: int) -> list[frozenset[int]]:
    return [frozenset({i}) for i in range(n)]


def single(kind: str) -> Callable[[Library, Rng], Drawn]:
    return lambda lib, rng: ([], [one(singles(lib, kind), rng)], alone(1))


def partition(lib: Library, rng: Rng) -> Drawn:
    return [], [one(lib.partitions, rng)], alone(1)


def together(which: str) -> Callable[[Library, Rng], Drawn]:
    def draw(lib: Library, rng: Rng) -> Drawn:
        chosen: Sequence[Pair] = getattr(lib, which)
        pair = chosen[int(rng.integers(len(chosen)))]
        guilty = [make(rng) for make in pair.makes]
        return [make(rng) for make in pair.base], guilty, [frozenset(range(len(guilty)))]

    return draw


def killers_of(lib: Library, what: str) -> list[Make]:
    return [m for ways in lib.killers[what].values() for m in ways]


def two(lib: Library, rng: Rng) -> Drawn:
    names = rng.permutation(list(lib.killers))[:2]
    return [], [one(killers_of(lib, str(n)), rng) for n in names], alone(2)


def redundant(lib: Library, rng: Rng) -> Drawn:
    what = str(rng.choice([n for n in lib.killers if len(killers_of(lib, n)) > 1]))
    makes = killers_of(lib, what)
    first, second = rng.permutation(len(makes))[:2]
    return [], [makes[first](rng), makes[second](rng)], alone(2)


def undone(change: Change, tables: dict) -> Change:
    """The change that takes `change` back: where A has it, B is improved."""
    edits: list[Edit] = []
    for edit in change.edits[::-1]:
        if isinstance(edit, Table):
            edits.append(Original(tables, edit.paths))
        else:
            edits.append(edit.inverse())  # type: ignore[attr-defined]
    return dataclasses.replace(change, label=f"undone: {change.label}", edits=tuple(edits))


def masked(lib: Library, rng: Rng) -> Drawn:
    names = [str(n) for n in rng.permutation(list(lib.killers))[:2]]
    handicap, fault = (one(killers_of(lib, n), rng) for n in names)
    return [handicap], [undone(handicap, {}), fault], alone(2)


def weak(lib: Library, rng: Rng) -> Drawn:
    make = lib.weak[int(rng.integers(len(lib.weak)))]
    return [], [make(rng, float(rng.uniform(0.08, 0.85)))], alone(1)


def migration(lib: Library, rng: Rng) -> Drawn:
    return [], [one(lib.migrations, rng)], alone(1)


def structure(lib: Library, rng: Rng) -> Drawn:
    if rng.random() < 0.6:
        return [], [one(lib.structures, rng)], alone(1)
    fault = one(singles(lib, str(rng.choice(["code", "column", "param"]))), rng)
    quiet = dataclasses.replace(one(lib.quiet_structures, rng), guilty=False)
    return [], [fault, quiet], alone(1)


def many(lib: Library, rng: Rng) -> Drawn:
    shape = int(rng.integers(4))
    if shape == 0:
        return single(str(rng.choice(["code", "column", "param"])))(lib, rng)
    if shape == 1:
        return two(lib, rng)
    if shape == 2:
        return together("pairs")(lib, rng)
    base, guilty, family = together("pairs")(lib, rng)
    return (
        base,
        [*guilty, one(killers_of(lib, str(rng.choice(list(lib.killers)))), rng)],
        [
            *family,
            frozenset({len(guilty)}),
        ],
    )


def nothing(lib: Library, rng: Rng) -> Drawn:
    return [], [], []


CLASSES: dict[str, Callable[[Library, Rng], Drawn]] = {
    "code": single("code"),
    "column": single("column"),
    "partition": partition,
    "param": single("param"),
    "dependency": single("dependency"),
    "pair": together("pairs"),
    "triple": together("triples"),
    "two": two,
    "redundant": redundant,
    "masked": masked,
    "weak": weak,
    "migration": migration,
    "structure": structure,
    "many": many,
    "seed": nothing,
    "benign": nothing,
}


def scenario(cls: str, domain: str, seed: int) -> Scenario:
    """The scenario of a class that a seed stands for.

    Raises
    ------
    Unlucky
        If the changes that were drawn cannot be made together.
    """
    rng = np.random.default_rng([seed, list(CLASSES).index(cls), list(DOMAINS).index(domain)])
    lib = library(domain)
    tables = DOMAINS[domain](int(rng.integers(1 << 30)))
    base, guilty, expected = CLASSES[cls](lib, rng)
    for change in guilty:
        for edit in change.edits:
            if isinstance(edit, Original):
                edit.tables.update(tables)
    changes = list(guilty)
    used = {name for change in (*base, *guilty) for name in change.ids}
    total = int(rng.integers(18, 27)) if cls == "many" else len(guilty) + int(rng.integers(2, 7))
    for change in lib.benign(rng) if cls != "seed" else ():
        if len(changes) < total and not used & change.ids:
            used |= change.ids
            changes.append(change)
    if cls == "many" and len(changes) < 18:
        raise Unlucky(f"{len(changes)} changes")
    if cls == "benign":
        changes += comments(domain, rng, used)
    if cls == "seed":
        low, high = (int(s) for s in rng.choice(10_000, 2, replace=False))
        return Scenario(domain, lib.metric, cls, seed, tables, [], [], seeds_only=(low, high))
    order = [int(i) for i in rng.permutation(len(changes))]
    family = [frozenset(order.index(i) for i in group) for group in expected]
    edits = [edit for change in base for edit in change.edits]
    made = Scenario(
        domain, lib.metric, cls, seed, tables, [changes[i] for i in order], family, edits
    )
    try:
        made.check()
    except NoMatch as error:
        raise Unlucky(str(error)) from error
    return made


def comments(domain: str, rng: Rng, used: set[str]) -> list[Change]:
    found = [comment(*f, rng) for f in functions(domain)]
    free = [c for c in found if c is not None and not used & c.ids]
    return free[: int(rng.integers(0, 4))]
