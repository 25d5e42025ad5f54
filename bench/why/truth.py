"""What is true of a scenario, measured: every subset of the suspects, at several seeds.

A change that was drawn as benign is held to be so only if all of them together move nothing, at A
and at B, or else each by itself moves nothing. Dividends are Harsanyi's (1963): what a set adds to
what its subsets do.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import plain
from classes import CLEAR, QUIET, WINDOWS, Unlucky, scenario
from scenario import NoMatch, Scenario

SEEDS = (0, 1, 2, 3, 4, 5)
HERE = Path(__file__).resolve().parent
FLOOR = 0.0015  # below it nothing is called an effect
LARGE = 0.25  # of the largest movement: smaller parts may be reported or not


class Dropped(Exception):
    """What was measured is not what the class stands for."""


class Oracle:
    """Answers mixes of a scenario, each in a fresh copy of the project; remembers them."""

    def __init__(self, made: Scenario, folder: Path) -> None:
        self.made, self.folder = made, folder
        self.kept: dict[frozenset[int], plain.Answer] = {}
        self.base = folder / "base"
        try:
            made.write_base(self.base)
        except NoMatch as error:
            raise Dropped(f"cannot be written: {error}") from error

    def answer(self, chosen: Iterable[int]) -> plain.Answer:
        """The metric of A with these changes."""
        key = frozenset(chosen)
        if key not in self.kept:
            root = self.folder / "mix"
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(self.base, root)
            try:
                self.made.apply(root, key)
            except NoMatch as error:
                raise Dropped(f"cannot be written: {error}") from error
            self.kept[key] = plain.evaluate(root, self.made.metric, SEEDS)
            shutil.rmtree(root, ignore_errors=True)
        return self.kept[key]

    def values(self, chosen: Iterable[int]) -> np.ndarray:
        answer = self.answer(chosen)
        if answer.values is None:
            raise Dropped(f"crashes: {answer.error}")
        return np.array(answer.values)

    @property
    def cpu_s(self) -> float:
        return sum(a.cpu_s for a in self.kept.values())


def moves(difference: np.ndarray) -> bool:
    """Whether paired differences are beyond the noise of the seeds."""
    return bool(abs(difference.mean()) > 4 * error_of(difference) + FLOOR)


def error_of(difference: np.ndarray) -> float:
    return float(difference.std(ddof=1) / np.sqrt(len(difference)))


def dividends(oracle: Oracle, suspects: list[int]) -> dict[frozenset[int], np.ndarray]:
    """Dividend of each subset of the suspects, by seed."""
    found: dict[frozenset[int], np.ndarray] = {}
    empty = oracle.values(())
    for size in range(1, len(suspects) + 1):
        for group in map(frozenset, combinations(suspects, size)):
            parts = [found[s] for s in found if s < group]
            found[group] = oracle.values(group) - empty - sum(parts, np.zeros(len(SEEDS)))
    return found


def family(
    parts: dict[frozenset[int], np.ndarray], scale: float
) -> tuple[list[frozenset[int]], list[frozenset[int]]]:
    """Sets that must be named, and sets that may be: too small, or an overlap of named ones."""
    required, optional = [], []
    for group, values in parts.items():
        if not moves(values):
            if abs(values.mean()) > FLOOR:
                optional.append(group)
            continue
        singles = [parts[frozenset({i})] for i in group]
        overlap = len(group) > 1 and all(moves(s) and s.mean() * values.mean() < 0 for s in singles)
        large = abs(values.mean()) >= LARGE * scale
        (required if large and not overlap else optional).append(group)
    return required, optional


def check_benign(oracle: Oracle, made: Scenario) -> float:
    """Raise `Dropped` if a benign change moves the metric; returns B - A."""
    suspects, everything = made.suspects, range(len(made.changes))
    benign = [i for i in everything if i not in suspects]
    a, b = oracle.values(()), oracle.values(everything)
    if moves(oracle.values(benign) - a) or moves(b - oracle.values(suspects)):
        raise Dropped("a benign change moves the metric")
    if not np.array_equal(oracle.values(benign), a) and len(benign) <= 8:
        for i in benign:
            rest = [j for j in everything if j != i]
            if moves(oracle.values([i]) - a) or moves(b - oracle.values(rest)):
                raise Dropped(f"a benign change moves the metric: {made.changes[i].label}")
    return float((b - a).mean())


def measure(made: Scenario, folder: Path) -> dict[str, Any]:
    """The truth about a scenario.

    Raises
    ------
    Dropped
        If what was measured is not what the class stands for.
    """
    if made.seeds_only:
        return {"required": [], "optional": [], "delta": 0.0, "mixes": {}, "cpu_s": 0.0}
    oracle = Oracle(made, folder)
    low, high = WINDOWS.get(made.cls, CLEAR)
    suspects = made.suspects
    if suspects:
        rough = abs((oracle.values(suspects) - oracle.values(())).mean())
        if not low <= rough <= high:
            raise Dropped(f"moves the metric by {rough:.4f}")
    delta = check_benign(oracle, made)
    if suspects and not low <= abs(delta) <= high:
        raise Dropped(f"moves the metric by {delta:.4f}")
    parts = dividends(oracle, suspects)
    empty = oracle.values(())
    scale = max((abs((oracle.values(s) - empty).mean()) for s in parts), default=0.0)
    required, optional = family(parts, scale)
    if set(required) != set(made.expected):
        said = [sorted(s) for s in required]
        raise Dropped(f"family {said} instead of {[sorted(s) for s in made.expected]}")
    return {
        "required": [sorted(s) for s in required],
        "optional": [sorted(s) for s in optional],
        "dividends": {key(s): [float(v.mean()), error_of(v)] for s, v in parts.items()},
        "delta": delta,
        "mixes": {key(s): [a.values, a.error] for s, a in oracle.kept.items()},
        "cpu_s": oracle.cpu_s,
    }


def key(group: Iterable[int]) -> str:
    return ",".join(map(str, sorted(group)))


def generators() -> str:
    """Digest of all that makes scenarios, so that old truths are not used for new ones."""
    names = [
        "plain",
        "datasets",
        "scenario",
        "benign",
        "library",
        "flights",
        "subscriptions",
        "classes",
        "truth",
    ]
    files = [HERE / f"{n}.py" for n in names]
    files += sorted(p for s in ("py", "toml") for p in (HERE / "projects").rglob(f"*.{s}"))
    kept = [f for f in files if ".whence" not in f.parts]
    return plain.digest("".join(f.read_text() for f in kept))


def truth(cls: str, domain: str, seed: int, cache: Path, scratch: Path) -> dict[str, Any]:
    """The truth about the scenario of a seed, from `cache` if it was measured before.

    "status" is "ok", or says why the scenario was dropped.
    """
    path = cache / f"{cls}-{domain}-{seed}-{generators()}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    folder = scratch / f"truth-{cls}-{domain}-{seed}-{os.getpid()}"
    try:
        made = scenario(cls, domain, seed)
        result = {"status": "ok", **measure(made, folder)}
        result["labels"] = [c.label for c in made.changes]
    except (Dropped, Unlucky) as error:
        result = {"status": f"dropped: {error}"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    waiting = path.with_suffix(".tmp")
    waiting.write_text(json.dumps(result))
    waiting.replace(path)
    return result


__all__ = ["QUIET", "Dropped", "Oracle", "truth"]
