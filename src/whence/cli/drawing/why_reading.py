"""What an explanation says, in words and figures of one precision, for all its views.

The views (`why_terminal`, `why_markdown`, `why_page`) lay these out; none has facts of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from whence.cli.drawing.why_figures import Figures, is_number
from whence.cli.words import count, duration, listed

Json = Mapping[str, Any]

#: Kind of a change -> the word for it.
KINDS = {
    "code": "code",
    "source": "source",
    "param": "param",
    "distribution": "package",
    "file": "file",
    "randomness": "chance",
}
#: State of a change -> how it reads after a number, in the order of interest.
STATES = {
    "cause": "moved it",
    "no effect": "without effect",
    "unmixable": "not mixable",
    "untested": "untested",
    "inert": "proven inert",
}
#: Kind of a cause -> its heading, where it has one change and where it has more.
CAUSES = {
    "cause": ("By itself", "Changes that belong together"),
    "interaction": ("Only together", "Only together"),
    "overlap": ("Overlap", "Either suffices"),
    "improver": ("Against the rest", "Against the rest"),
    "inseparable": ("Inseparable", "They only run together"),
}
VERDICTS = {
    "explained": "explained",
    "noise": "noise",
    "unchanged": "unchanged",
    "unexplained": "unexplained",
    "failure": "failure",
    "out of budget": "out of budget",
}
#: A metric this near to the baseline's, in parts of the difference, counts as restored.
RESTORED = 0.1


class Check(NamedTuple):
    """What taking changes back did, and whether that undoes the cause."""

    text: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of the waterfall: from `start` to `end`, with a whisker of half-width `half`."""

    kind: str  # "baseline", a cause's kind, "shared", "remainder", "candidate"
    label: str
    start: float
    end: float
    half: float
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One mix of a counterfactual table: which groups are new, and the metric at each seed."""

    flipped: tuple[bool, ...]
    values: Mapping[int, float | None]
    error: str

    @property
    def known(self) -> list[float]:
        return [v for v in self.values.values() if v is not None and is_number(v)]

    @property
    def mean(self) -> float | None:
        return math.fsum(self.known) / len(self.known) if self.known else None


def short(change: str) -> str:
    """A change without its kind: "code:prep.clean" is "prep.clean".

    Examples
    --------
    >>> short("distribution:scikit-learn"), short("code:prep:statements")
    ('scikit-learn', 'prep:statements')
    """
    return change.partition(":")[2] or change


def percent(share: float) -> str:
    """A share of the whole difference.

    Examples
    --------
    >>> percent(0.978), percent(-0.125), percent(0.004), percent(0.0)
    ('98 %', '−12 %', '< 1 %', '0 %')
    """
    if 0 < abs(share) < 0.005:
        return "< 1 %" if share > 0 else "> −1 %"
    return f"{share * 100:.0f} %".replace("-", "−")


def together(names: Sequence[str], word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


class Reading(Figures):
    """One explanation, read.

    Parameters
    ----------
    document : mapping
        What `whence why --json` prints: `{"why": …}`.
    """

    def __init__(self, document: Json) -> None:
        super().__init__(document["why"])
        self.causes: Sequence[Json] = self.why["causes"]
        self.changes: dict[str, Json] = {c["id"]: c for c in self.why["changes"]}

    # -- the whole ----------------------------------------------------------------------------

    def difference(self) -> str:
        """The difference with its interval, and what it means beside the noise."""
        if not self.has_sides:
            return ""
        said = self.band(self.delta, signed=True)
        if self.verdict == "noise":
            return f"{said}: no more than noise"
        if self.verdict == "unchanged":
            return f"{said}: exactly none"
        if not self.half(self.delta):
            return f"{said}, exact: nothing random is involved"
        return f"{said}, beyond the noise"

    def seeds(self) -> str:
        """ "4 seeds"."""
        return count(len(self.why["seeds"]), "seed")

    def by_state(self) -> dict[str, list[Json]]:
        """The changes by state, the most interesting state first."""
        found: dict[str, list[Json]] = {state: [] for state in STATES}
        for change in self.changes.values():
            found.setdefault(change["state"], []).append(change)
        return {state: changes for state, changes in found.items() if changes}

    def counts(self) -> str:
        """ "14: 2 moved it, 3 without effect, 9 proven inert"."""
        if not self.changes:
            return "none between the two"
        states = self.by_state()
        parts = [f"{len(changes)} {self.state(state)}" for state, changes in states.items()]
        if set(states) == {"untested"}:
            parts = ["none had to be tested" if self.is_quiet else "none was tested"]
        return f"{len(self.changes)}: {', '.join(parts)}"

    def state(self, state: str) -> str:
        """A state in words."""
        if state == "cause" and self.verdict == "failure":
            return "to blame"
        return STATES.get(state, state)

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to blame anything for."""
        return self.verdict in ("noise", "unchanged")

    @property
    def has_shares(self) -> bool:
        """Whether parts of the difference were given to causes."""
        return bool(self.causes) and self.has_sides and bool(self.delta["mean"])

    def explained(self) -> str:
        """ "98 % of the difference"; what is left is always said."""
        if self.is_quiet or not self.has_sides:
            return ""
        part = self.why["explained"] if self.causes else 0.0
        return f"{percent(part)} of the difference; {self.remainder()}"

    def remainder(self) -> str:
        """What no cause explains."""
        rest = self.why["remainder"]
        if not rest["mean"] and not self.half(rest):
            return "no remainder"
        against = rest["mean"] * (self.delta["mean"] or 0.0) < 0
        # More than the whole difference was explained; without this it looks like a slip.
        end = ", the other way" if against else ""
        return f"unexplained remainder {self.band(rest, signed=True)}{end}"

    def spent(self) -> list[str]:
        """What the answer cost."""
        cost = self.why["cost"]
        unit = "rebuild" if round(cost["rebuilds"], 1) == 1 else "rebuilds"
        said = [f"{cost['rebuilds']:.1f} {unit} of {cost['budget']:g} allowed"]
        if cost["refinement_rebuilds"] >= 0.05:
            said.append(f"{cost['refinement_rebuilds']:.1f} more to look inside the causes")
        said.append(f"{count(cost['mixes'], 'mix')}".replace("mixs", "mixes"))
        if cost["mixes"]:
            said.append(f"{percent(cost['from_store'])} of their tasks from the store")
        said.append(duration(cost["wall_s"]))
        return said

    def steps(self) -> list[Step]:
        """The waterfall: baseline, each cause's share, the remainder, candidate."""
        old, new, whole = self.before["band"], self.after["band"], self.delta["mean"]
        steps = [Step("baseline", "baseline", old["mean"], old["mean"], self.half(old))]
        at = float(old["mean"])
        for cause in self.causes:
            end = at + cause["share"] * whole
            label = " + ".join(short(c) for c in cause["changes"])
            half = self.half(cause["effect"])
            steps.append(Step(cause["kind"], label, at, end, half, cause["share"]))
            at = end
        rest = self.why["remainder"]
        over = (new["mean"] - rest["mean"]) - at
        if self.causes and abs(over) > 0.01 * abs(whole):
            # A change that takes part in two causes has its share in both.
            steps.append(Step("shared", "counted in two causes", at, at + over, 0.0, over / whole))
            at += over
        if abs(new["mean"] - at) > 1e-12 or self.half(rest):
            left = new["mean"] - at
            part = left / whole if whole else 0.0
            steps.append(Step("remainder", "unexplained", at, new["mean"], self.half(rest), part))
        steps.append(Step("candidate", "candidate", new["mean"], new["mean"], self.half(new)))
        return steps

    # -- a cause ------------------------------------------------------------------------------

    def heading(self, cause: Json) -> str:
        """What sort of cause this is."""
        one, more = CAUSES.get(cause["kind"], (cause["kind"], cause["kind"]))
        n = len(cause["changes"])
        if cause["kind"] == "overlap" and n > 2:
            return "Any one suffices"
        return one if n < 2 else more

    def figures(self, cause: Json) -> str:
        """Effect, share and chance of a cause."""
        if not self.has_sides:
            return ""
        parts = [self.band(cause["effect"], signed=True)]
        if self.has_shares:
            parts.append(f"{percent(cause['share'])} of the difference")
        if cause["p"]:
            parts.append("p < 0.001" if cause["p"] < 0.001 else f"p = {cause['p']:.2g}")
        return ", ".join(parts)

    def groups(self, cause: Json) -> list[tuple[str, ...]]:
        """The changes of a cause, those together that were only ever flipped together."""
        cells = [set(cell["flipped"]) for cell in cause["table"]]
        found: dict[object, list[str]] = {}
        for change in cause["changes"]:
            unit = self.changes.get(change, {}).get("unit")
            key = tuple(change in cell for cell in cells) if cells else (unit, change)
            found.setdefault(key, []).append(change)
        return [tuple(members) for members in found.values()]

    def table(self, cause: Json) -> list[Row]:
        """The counterfactual table, in binary order of its groups."""
        groups = self.groups(cause)
        rows = [
            Row(
                tuple(set(group) <= set(cell["flipped"]) for group in groups),
                {int(seed): value for seed, value in cell["values"].items()},
                cell["error"],
            )
            for cell in cause["table"]
        ]
        return sorted(rows, key=lambda row: (sum(row.flipped), [not f for f in row.flipped]))

    def cell(self, row: Row | None) -> str:
        """The metric of one mix."""
        if row is None:
            return "not made"
        return "crashes" if row.mean is None else self.figure(row.mean)

    def is_restored(self, band: Json) -> bool:
        """Whether this is the baseline's metric, as far as one can tell."""
        return self._is_near(band, self.before["band"])

    def _is_near(self, one: Json, other: Json) -> bool:
        if not self.has_sides:
            return True
        apart = abs(one["mean"] - other["mean"])
        near = RESTORED * abs(self.delta["mean"])
        return bool(apart <= max(near, self.half(one), self.half(other)))

    def _is_undone(self, band: Json, back: Json) -> bool:
        """Whether nothing is left of a cause: as without all of it, or better than that."""
        return self._is_near(band, back) or (band["mean"] - back["mean"]) * self.delta["mean"] < 0

    def checks(self, cause: Json) -> list[Check]:
        """What taking the changes back does, as it was measured."""
        back = cause["reverted"]
        if back is not None and not is_number(back["mean"]):
            back = None
        n = len(self.groups(cause))
        ones = {k: b for k, b in cause["reverted_one"].items() if is_number(b["mean"])}
        said: list[Check] = []
        if ones and n > 1:
            undone = [back is not None and self._is_undone(band, back) for band in ones.values()]
            if len(ones) == n and all(undone):
                return [self._either(list(ones.values()), n)]
            for (name, band), holds in zip(ones.items(), undone, strict=True):
                names = together([short(change) for change in name.split(" + ")])
                does = "restores" if self.is_restored(band) else "gives"
                said.append(Check(f"reverting {names} {does} {self.figure(band['mean'])}", holds))
        if back is not None:
            many = "both" if n == 2 else "all of them"
            them = many if n > 1 else "them" if len(cause["changes"]) > 1 else "it"
            value = self.figure(back["mean"])
            if self.verdict == "failure":
                said.append(Check(f"without {them} the candidate runs: {value}", True))
            elif self.is_restored(back):
                said.append(Check(f"reverting {them} restores {value}", True))
            else:
                said.append(Check(f"reverting {them} gives {value}", True))
        return said

    def _either(self, bands: Sequence[Json], n: int) -> Check:
        values = list(dict.fromkeys(self.figure(band["mean"]) for band in bands))
        whichever = "either one" if n == 2 else "any one of them"
        if not all(self.is_restored(band) for band in bands):
            return Check(f"reverting {whichever} undoes it: {together(values)}", True)
        if len(values) == 1:
            return Check(f"reverting {whichever} restores {values[0]}", True)
        return Check(f"reverting {whichever} restores it: {together(values)}", True)

    def refinement(self, cause: Json, change: str) -> Json | None:
        """What was found inside a change."""
        return next((r for r in cause["refinements"] if r["change"] == change), None)

    def place(self, change: str, found: Json | None) -> list[str]:
        """Where to look: file and line; columns; the condition on rows."""
        parts = []
        where = str(self.changes.get(change, {}).get("where", ""))
        lines = list(found["lines"]) if found else []
        if lines or where:
            parts.append(listed(lines, 4) if lines else where)
        if found and found["columns"]:
            word = "column" if len(found["columns"]) == 1 else "columns"
            parts.append(f"{word} {listed(found['columns'], 6)}")
        if found and found["partition"]:
            parts.append(f"where {found['partition']}")
        return parts

    def rows(self, found: Json) -> str:
        """ "412 of 9,000 changed rows are to blame"."""
        changed, guilty = found["rows_changed"], found["rows_guilty"]
        if not guilty:
            return f"{count(changed, 'changed row')}" if changed else ""
        if guilty == changed:
            return f"all {count(changed, 'changed row')}" if changed > 1 else "1 changed row"
        if not changed:
            return count(guilty, "row")
        return f"{guilty:,} of {count(changed, 'changed row')}"

    def proof(self, found: Json) -> str:
        """Whether a run confirmed a refinement."""
        if found["verified"]:
            return "verified by a run with only this part flipped"
        return "not verified by a run" if found["lines"] or found["columns"] else ""

    def values(self, change: Json) -> str:
        """ "6 → 9", where the two can be said in a few characters."""
        if not change["before"] and not change["after"]:
            return ""
        return f"{change['before'] or '(absent)'} → {change['after'] or '(absent)'}"

    def unit_changes(self) -> list[tuple[str, ...]]:
        """The changes to blame, by the units in which they flip."""
        blamed = {change for cause in self.causes for change in cause["changes"]}
        units: dict[object, list[str]] = {}
        for change in self.changes.values():
            if change["id"] in blamed:
                key = change["id"] if change["unit"] is None else change["unit"]
                units.setdefault(key, []).append(change["id"])
        return [tuple(members) for members in units.values()]

    def blame(self, change: str) -> str:
        """State of a change; "improver" where all that it took part in went against the rest."""
        state = str(self.changes[change]["state"]) if change in self.changes else ""
        kinds = {cause["kind"] for cause in self.causes if change in cause["changes"]}
        return "improver" if kinds == {"improver"} else state

    def joint(self, one: Sequence[str], other: Sequence[str]) -> float | None:
        """What two units do beyond the sum of both; of one with itself, what it does alone."""
        if one == other:
            return self._alone(one)
        found = self.why["interactions"]
        for first, second in ((one, other), (other, one)):
            key = " + ".join([*first, *second])
            if key in found and is_number(found[key]):
                return float(found[key])
        return None

    def _alone(self, unit: Sequence[str]) -> float | None:
        for cause in self.causes:
            if set(cause["changes"]) == set(unit):
                return float(cause["effect"]["mean"])
            means = {
                frozenset(cell["flipped"]): [v for v in cell["values"].values() if is_number(v)]
                for cell in cause["table"]
            }
            with_it, without = means.get(frozenset(unit)), means.get(frozenset())
            if with_it and without:
                return math.fsum(with_it) / len(with_it) - math.fsum(without) / len(without)
        return None


def brief(names: Sequence[str], limit: int = 24) -> list[str]:
    """Names short enough to head a column, as long as they can still be told apart.

    Examples
    --------
    >>> brief(["prep.clean", "pipelines.preparation.remove_implausible_delays"])
    ['prep.clean', 'remove_implausible_dela…']
    """

    def cut(name: str) -> str:
        if len(name) <= limit:
            return name
        last = name.rpartition(".")[2]
        return last if len(last) <= limit else last[: limit - 1] + "…"

    made = [cut(name) for name in names]
    return made if len(set(made)) == len(made) else list(names)


def cell_text(value: object) -> str:
    """A cell of a sample of rows; a changed one as "12.0 → 0.2"."""
    if isinstance(value, Mapping) and set(value) == {"before", "after"}:
        return f"{cell_text(value['before'])} → {cell_text(value['after'])}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def sample_columns(found: Json, limit: int) -> list[str]:
    """Columns of a sample that are worth room: the changed, those of the condition, then others."""
    names: list[str] = list(dict.fromkeys(name for row in found["sample"] for name in row))
    condition = str(found["partition"])
    first: Iterable[str] = [name for name in names if name in found["columns"]]
    second = [name for name in names if name in condition.replace("(", " ").split()]
    chosen = list(dict.fromkeys([*first, *second, *names]))[:limit]
    return [name for name in names if name in chosen]
