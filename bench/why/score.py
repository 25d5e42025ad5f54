"""Right or wrong: what was found, beside what is true."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from scenario import Scenario

NEAR = 0.8  # of the largest true effect: either of two like causes may stand first


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share; Wilson (1927), JASA 22(158)."""
    if n == 0:
        return 0.0, 1.0
    share, wide = hits / n, z * z / n
    middle = (share + wide / 2) / (1 + wide)
    half = z * math.sqrt(share * (1 - share) / n + wide / (4 * n)) / (1 + wide)
    return max(0.0, middle - half), min(1.0, middle + half)


def atoms(made: Scenario, ids: Iterable[str]) -> frozenset[int]:
    """The scenario's changes that ids name; -1 for one that names none."""
    of = {name: i for i, change in enumerate(made.changes) for name in change.ids}
    return frozenset(of.get(name, -1) for name in ids)


def blamed(made: Scenario, causes: Iterable[Mapping[str, Any]]) -> list[frozenset[int]]:
    """Sets of changes by size of effect; where either of two suffices, each is a set."""
    found: list[frozenset[int]] = []
    for cause in sorted(causes, key=lambda c: -abs(c["effect"]["mean"])):
        named = atoms(made, cause["changes"])
        if cause["kind"] == "overlap" and len(named) > 1:
            singles = [frozenset({i}) for i in sorted(named)]
            found += [s for s in singles if s not in found]
        else:
            found.append(named)
    return found


def top1(found: Sequence[frozenset[int]], truth: Mapping[str, Any]) -> bool:
    """Whether the first set is a true one, and of the largest."""
    required = [frozenset(s) for s in truth["required"]]
    if not required:
        return not found
    effect = {
        frozenset(int(i) for i in text.split(",")): abs(mean)
        for text, (mean, _) in truth["dividends"].items()
    }
    largest = max(effect[s] for s in required)
    return bool(found) and found[0] in required and effect[found[0]] >= NEAR * largest


def exact(found: Sequence[frozenset[int]], truth: Mapping[str, Any]) -> bool:
    """Whether the sets are the true family, each once; those too small to tell may be there."""
    required = {frozenset(s) for s in truth["required"]}
    allowed = required | {frozenset(s) for s in truth["optional"]}
    return len(set(found)) == len(found) and required <= set(found) <= allowed


def refined(made: Scenario, truth: Mapping[str, Any], causes: Iterable[Mapping[str, Any]]) -> Any:
    """Column and partition of each guilty change of data: (right columns, right partition).

    Each is None where the scenario has nothing to say about it.
    """
    told = {r["change"]: r for c in causes for r in c["refinements"]}
    guilty = {i for s in truth["required"] for i in s}
    columns: bool | None = None
    partition: bool | None = None
    for i in guilty:
        change = made.changes[i]
        if not change.columns or change.kind != "data":
            continue
        mine = next((told[name] for name in change.ids if name in told), None)
        columns = (
            (columns is not False)
            and mine is not None
            and set(mine["columns"]) == set(change.columns)
        )
        if change.partitions:
            partition = mine is not None and names(mine["partition"]) == names_of(change.partitions)
    return columns, partition


def names_of(partitions: Collection[str]) -> set[str]:
    return {name for text in partitions for name in names(text)}


def names(text: str) -> set[str]:
    """The partitions that a predicate names: "month = 3" and "2013-03" are the same."""
    found = {f"month={int(m)}" for m in re.findall(r"\b20\d\d-(\d\d)\b", text)}
    found |= {f"quarter={q}" for q in re.findall(r"\b(20\d\d-Q\d)\b", text)}
    if found:
        return found
    plain = re.sub(r"[\"'\s]", "", text)
    for column, inside in re.findall(r"(\w+)(?:in|∈)[(\[{]([^)\]}]*)[)\]}]", plain):
        found |= {f"{column}={value}" for value in inside.split(",")}
    for low, column, high in re.findall(r"(\d+)(?:<=|≤)(\w+)(?:<=|≤)(\d+)", plain):
        found |= {f"{column}={value}" for value in range(int(low), int(high) + 1)}
    if not found:
        found |= {f"{c}={v}" for c, v in re.findall(r"(\w+)=+(\w+)", plain)}
    return found
