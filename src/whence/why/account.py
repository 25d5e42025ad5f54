"""From what the search found to what is told: names for units, states, sentence, next commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whence.engine.environment import interpreter
from whence.why.changes import Change
from whence.why.estimate import FoundCause
from whence.why.laboratory import Laboratory
from whence.why.search import Finding
from whence.why.verdict import (
    Cause,
    Cell,
    ChangeReport,
    Cost,
    Explanation,
    Refinement,
    Side,
)


class Account:
    """Tells a `Finding` about numbered units in the words of one pair of builds."""

    def __init__(
        self,
        laboratory: Laboratory,
        finding: Finding,
        rebuild_executions: int,
        unseen: Sequence[str] = (),
    ) -> None:
        self.unseen = unseen
        self.lab, self.finding = laboratory, finding
        self.mixer = laboratory.mixer
        self.found = self.mixer.found
        self.rebuild_executions = rebuild_executions
        self.metric = self.mixer.metric

    def explanation(
        self,
        refinements: Mapping[str, Refinement],
        searched_rebuilds: float,
        wall_s: float,
    ) -> Explanation:
        """The whole answer.

        Parameters
        ----------
        refinements : mapping
            Id of a change -> what was found inside it.
        searched_rebuilds : float
            Rebuilds spent before looking inside.
        """
        finding = self.finding
        causes = tuple(self._cause(cause, refinements) for cause in finding.causes)
        a, b = self.mixer.a, self.mixer.b
        spec = b.session.graph.nodes[self.metric].spec
        return Explanation(
            metric=self.metric,
            better=str(spec.options.get("better", "")),
            verdict=finding.verdict,
            sentence=self._sentence(causes),
            baseline=Side(
                a.row.id,
                a.row.id,
                self._labelled(finding.baseline),
                finding.before,
                finding.baseline_error,
            ),
            candidate=Side(
                b.row.id,
                b.row.id,
                self._labelled(finding.candidate),
                finding.after,
                finding.candidate_error,
            ),
            delta=finding.delta,
            seeds=tuple(self.lab.seedings[seed].label for seed in finding.seeds),
            changes=(
                *(self._change(i, change) for i, change in enumerate(self.found.changes)),
                *(_randomness(name) for name in self.lab.unstable),
            ),
            causes=causes,
            explained=1.0 - self._share_of_remainder(),
            remainder=finding.remainder,
            interactions={
                " + ".join(self._ids(units)): value for units, value in finding.interactions.items()
            },
            cost=self._cost(searched_rebuilds, wall_s),
            notes=(*finding.notes, *self._notes()),
            next=self._next(causes),
            nodes=self._blame(),
            edges=tuple(
                (edge.node, name)
                for name in b.selected
                for edge in b.session.graph.nodes[name].inputs
            ),
        )

    # -- parts --------------------------------------------------------------------------------

    def _ids(self, units: Sequence[int] | frozenset[int]) -> tuple[str, ...]:
        return tuple(
            self.found.changes[i].id for unit in sorted(units) for i in self.found.units[unit]
        )

    def _labelled(self, values: Mapping[int, float]) -> dict[int, float]:
        return {self.lab.seedings[seed].label: value for seed, value in values.items()}

    def _share_of_remainder(self) -> float:
        delta = self.finding.delta.mean
        return self.finding.remainder.mean / delta if delta else 0.0

    def _cause(self, cause: FoundCause, refinements: Mapping[str, Refinement]) -> Cause:
        changes = self._ids(cause.units)
        shares = [self.finding.shares.get(unit, 0.0) for unit in cause.units]
        return Cause(
            kind=cause.kind,
            changes=changes,
            effect=cause.effect,
            share=sum(shares),
            p=cause.p,
            table=tuple(
                Cell(
                    self._ids(flipped),
                    {self.lab.seedings[seed].label: value for seed, value in values.items()},
                    error,
                )
                for flipped, values, error in cause.table
            ),
            reverted=cause.reverted,
            reverted_one={
                " + ".join(self._ids([unit])): band for unit, band in cause.reverted_one.items()
            },
            refinements=tuple(refinements[i] for i in changes if i in refinements),
        )

    def _change(self, place: int, change: Change) -> ChangeReport:
        unit = next((u for u, members in enumerate(self.found.units) if place in members), None)
        state, reason = "untested", ""
        if change.blocked:
            state, reason = "unmixable", change.blocked
        elif unit is not None and any(unit in c.units for c in self.finding.causes):
            state = "cause"
        elif unit in self.finding.inert:
            state, reason = "inert", "what it reaches stays the same"
        elif unit in self.finding.without_effect:
            state, reason = "no effect", "results change, the metric does not"
        companions = self.found.companions.get(change.id, ())
        if companions:
            brought = f"with {', '.join(companions)}"
            reason = f"{reason}; {brought}" if reason else brought
        return ChangeReport(
            change.id,
            change.kind,
            change.name,
            change.before,
            change.after,
            change.where,
            state,
            reason,
            unit,
        )

    def _cost(self, searched: float, wall_s: float) -> Cost:
        spent = self.lab.spent
        return Cost(
            rebuilds=searched,
            rebuild_cpu_s=self.lab.rebuild_cpu_s,
            cpu_s=self.lab.cpu_s,
            executions=spent.executions,
            rebuild_executions=self.rebuild_executions,
            refinement_rebuilds=self.lab.rebuilds - searched,
            mixes=spent.mixes,
            from_store=1.0 - spent.executions / spent.tasks if spent.tasks else 1.0,
            wall_s=wall_s,
            budget=self.lab.budget,
        )

    def _to_take_back(self, cause: Cause) -> list[str]:
        """The fewest changes of a cause whose reverting undoes it."""
        if cause.kind == "interaction" and cause.reverted_one:
            return _nearest(cause, self.finding.before.mean).split(" + ")
        if cause.kind in ("overlap", "inseparable"):
            return list(cause.changes)
        return list(cause.changes[:1])

    def _blame(self) -> dict[str, tuple[str, ...]]:
        out: dict[str, tuple[str, ...]] = dict.fromkeys(self.mixer.b.selected, ())
        for change in self.found.changes:
            for name in change.nodes & out.keys():
                out[name] = (*out[name], change.id)
        return out

    def _notes(self) -> list[str]:
        notes = []
        blocked = [change for change in self.found.changes if change.blocked]
        if blocked:
            names = ", ".join(change.id for change in blocked)
            notes.append(
                f"{names} could not be mixed and is the candidate's in every mix: "
                f"{blocked[0].blocked}. What it did is not in these figures."
            )
        moved = self._moved_packages()
        if moved:
            listed = ", ".join(moved[:3]) + (" …" if len(moved) > 3 else "")
            notes.append(
                f"Installed now are other packages than the candidate was made with ({listed}): "
                "mixes that ran ran with those."
            )
        if self.lab.unstable:
            names = ", ".join(self.lab.unstable)
            notes.append(
                f"{names} gave another value when run again on equal inputs: replicates were made "
                "anew, and differences are judged against that randomness. Declare such nodes "
                "deterministic=False, or take `seed`."
            )
        if self.unseen:
            listed = ", ".join(self.unseen[:4]) + (" …" if len(self.unseen) > 4 else "")
            notes.append(f"Not checked for hidden randomness, because dear: {listed}.")
        if self.found.unreached:
            notes.append(
                f"{self.found.unreached} changed definitions do not reach '{self.metric}'."
            )
        return notes

    def _moved_packages(self) -> list[str]:
        """Packages that the candidate's nodes reach and that are installed in another version."""
        b = self.mixer.b
        here = {**b.session.environment.lock(), **interpreter()}
        recorded: dict[str, str] = {}
        for recipe in b.recipes.values():
            recorded.update(recipe.environment)
        return [
            f"{name} {version} → {here.get(name, 'absent')}"
            for name, version in sorted(recorded.items())
            if not name.startswith("vendored:")
            and here.get(name) != version
            and not any(c.is_installed and c.name == name for c in self.found.changes)
        ]

    # -- words --------------------------------------------------------------------------------

    def _sentence(self, causes: Sequence[Cause]) -> str:
        finding, metric = self.finding, self.metric
        old, new = finding.before.mean, finding.after.mean
        moved = f"{metric} went from {old:.4g} to {new:.4g}"
        if finding.verdict == "unchanged":
            return f"{metric} is {new:.4g} in both builds: nothing moved it."
        if finding.verdict == "noise":
            return (
                f"{moved}, which is no more than noise: the same worlds with other seeds differ "
                "as much. No change is to blame."
            )
        if finding.verdict == "failure":
            if not causes:
                return f"{metric} cannot be made in the candidate, and no change alone is to blame."
            blamed = " together with ".join(causes[0].changes)
            return f"{metric} cannot be made in the candidate because of {blamed}."
        if not causes:
            left = (
                "the budget ended before a cause was found"
                if (finding.verdict == "out of budget")
                else "no change or set of changes that was tried explains it"
            )
            return f"{moved}; {left}."
        parts = [_phrase(cause) for cause in causes]
        return f"{moved}: {'; '.join(parts)}."

    def _next(self, causes: Sequence[Cause]) -> tuple[str, ...]:
        a, b = self.mixer.a.row.id, self.mixer.b.row.id
        base = f"whence why {self.metric} {a} {b}"
        if self.finding.verdict == "out of budget":
            more = self.lab.budget * 2
            return (f"{base} --budget {more:g}",)
        worse = [cause for cause in causes if cause.kind != "improver"]
        if not worse:
            return ()
        flags = " ".join(f"--apply {change}" for change in self._to_take_back(worse[0]))
        return (f"{base} {flags}",)


def _nearest(cause: Cause, baseline: float) -> str:
    """Of an interaction, the changes that, taken back, leave the metric nearest to what it was."""
    apart = {ids: abs(band.mean - baseline) for ids, band in cause.reverted_one.items()}
    return min(apart, key=apart.__getitem__)


def _randomness(node: str) -> ChangeReport:
    return ChangeReport(
        f"randomness:{node}",
        "randomness",
        node,
        state="unmixable",
        reason="two runs on equal inputs gave different values",
    )


def _phrase(cause: Cause) -> str:
    names = list(cause.changes)
    effect = f"{cause.effect.mean:+.4g}"
    if cause.kind == "interaction":
        return f"{' and '.join(names)} did it only together ({effect})"
    if cause.kind == "overlap":
        return f"either of {' and '.join(names)} suffices ({effect})"
    if cause.kind == "improver":
        return f"{' with '.join(names)} worked against it ({effect})"
    if cause.kind == "inseparable":
        return f"{' with '.join(names)}, which only run together, did it ({effect})"
    return f"{' with '.join(names)} did it ({effect})"
