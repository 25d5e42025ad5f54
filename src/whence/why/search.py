"""The search: from units that may have moved a metric to those that did.

Sets of units are halved (in topological order) and flipped on the baseline and off the candidate:
what is redundant cannot be seen by taking away, what only acts in company cannot be seen by adding.
After Zeller & Hildebrandt (delta debugging, TSE 2002), with values in place of passing and failing,
and with both directions, as BugDoc (Lourenço et al., SIGMOD 2020) argues for pipelines.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from whence.why import noise
from whence.why.board import DUST, Board, Units
from whence.why.crashes import find_failure, merge_inseparable
from whence.why.estimate import Estimated, FoundCause, estimate
from whence.why.game import Game, Outcome, OutOfBudget
from whence.why.noise import NONE
from whence.why.verdict import Band

#: Above so many live units, groups are drawn at random once more: opposites may cancel in a group.
CROWDED = 15
NOTHING: Units = frozenset()
NO_BAND = Band(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a game came to; units by number.

    Attributes
    ----------
    verdict : str
        See `Explanation.verdict`.
    baseline, candidate : mapping
        Seed -> the metric.
    shares : mapping
        Unit -> Shapley's share of the whole difference; with the remainder's they add up to 1.
    inert : frozenset of int
        Flipping one leaves everything that it reaches as it is.
    without_effect : frozenset of int
        Flipping one changes results but not the metric.
    remainder : Band
        Of the difference, what no cause explains.
    """

    verdict: str
    baseline: Mapping[int, float]
    candidate: Mapping[int, float]
    before: Band
    after: Band
    delta: Band
    seeds: tuple[int, ...]
    causes: tuple[FoundCause, ...] = ()
    shares: Mapping[int, float] = field(default_factory=dict)
    inert: Units = NOTHING
    without_effect: Units = NOTHING
    remainder: Band = NO_BAND
    interactions: Mapping[Units, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    baseline_error: str = ""
    candidate_error: str = ""


def investigate(
    game: Game,
    *,
    tolerance: float = 0.0,
    max_seeds: int = 16,
    fixed_seeds: int | None = None,
    sampling_se: float = 0.0,
    rng_seed: int = 0,
    report: Callable[[str], None] | None = None,
) -> Finding:
    """Find the units that moved the metric.

    Parameters
    ----------
    tolerance : float
        A difference up to this is of no interest.
    max_seeds, fixed_seeds : int
        Most replicates; or exactly so many.
    sampling_se : float
        Standard error that the difference has from its test rows, where those changed.
    rng_seed : int
        Of the random groups.
    """
    board = Board(game, fixed_seeds or max_seeds)
    say = report or _silent
    everything = board.everything
    try:
        board.ask([NOTHING, everything])
    except OutOfBudget:
        return _unknown(board, "the budget does not suffice for the two sides")
    first, last = board.outcome(NOTHING), board.outcome(everything)
    if not first.feasible or not last.feasible:
        return _of_failure(board, first, last)
    try:
        real, exact = _gate(board, tolerance, fixed_seeds, sampling_se)
    except OutOfBudget:
        return _unknown(board, "the budget ended at the noise gate")
    if not real:
        return _sides(board, "unchanged" if exact else "noise")
    say(f"the difference is real (seeds: {len(board.seeds_of(NOTHING, everything))})")
    search = _Search(board, random.Random(rng_seed), say)
    ended = ""
    try:
        search.run()
    except OutOfBudget:
        ended = "the budget ended before the search did: causes may be missing"
    return search.finding(ended)


def _silent(line: str) -> None:
    del line


def _gate(
    board: Board, tolerance: float, fixed_seeds: int | None, sampling_se: float
) -> tuple[bool, bool]:
    """Whether the difference is real; and whether there is exactly none."""
    everything = board.everything
    looks = [fixed_seeds] if fixed_seeds else [2, 4, 8, 16]
    mean = 0.0
    for n in [look for look in looks if look <= len(board.seeds)] or [len(board.seeds)]:
        seeds = board.seeds[:n]
        board.ask([NOTHING, everything], seeds)
        seeds = board.seeds_of(NOTHING, everything)
        old, new = (board.values(s, seeds) for s in (NOTHING, everything))
        digests = [[board.outcome(s, seed).digest for seed in seeds]
                   for s in (NOTHING, everything)]  # fmt: skip
        pairs = zip(old, new, strict=True)
        if digests[0] == digests[1] or all(abs(b - a) <= DUST * abs(a) for a, b in pairs):
            return False, True
        is_random = any(len(set(found)) > 1 for found in digests)
        board.noise = noise.spread(old, new) if is_random and n > 1 else NONE
        mean = fmean(new) - fmean(old)
        board.scale = abs(mean)
        real = noise.judge(mean, n, board.noise, sampling_se)
        if real is False or (real and abs(mean) <= tolerance):
            return False, False
        if real:
            return True, False
    return False, False


class _Search:
    """Screening, crashing mixes, completeness, estimation."""

    def __init__(self, board: Board, rng: random.Random, say: Callable[[str], None]) -> None:
        self.board, self.rng, self.say = board, rng, say
        self.all = board.everything
        self.blocks: list[Units] = [frozenset([unit]) for unit in sorted(self.all)]
        self.inert: set[int] = set()
        self.causal: list[Units] = []
        self.inseparable: set[Units] = set()
        self.estimated: Estimated | None = None
        self.notes: list[str] = []

    def run(self) -> None:
        board = self.board
        probes = board.game.probe(range(board.game.size))
        self.inert = {unit for unit, probe in enumerate(probes) if probe == "inert"}
        suspects = [u for u, probe in enumerate(probes) if probe == "crashes"]
        self.say(
            f"{len(self.all)} units: {len(self.inert)} proven inert"
            + (f", {len(suspects)} crash alone" if suspects else "")
        )
        live = [block for block in self.blocks if not block & self.inert]
        if suspects:
            self.blocks = merge_inseparable(board, live, suspects)
            self.inseparable = {block for block in self.blocks if len(block) > 1}
            live = self.blocks
        found = self._explore(live, NOTHING)
        if len(live) > CROWDED:
            mixed = list(live)
            self.rng.shuffle(mixed)
            found |= self._explore(mixed, NOTHING)
        self.causal = [block for block in live if block in found]
        self._complete(live)
        self.estimated = estimate(board, self.causal)

    # -- screening ----------------------------------------------------------------------------

    def _explore(self, live: list[Units], context: Units) -> set[Units]:
        """Blocks of `live` that matter when `context` is flipped too."""
        board = self.board
        base = context
        top = context.union(*live)
        if not live or not board.differ(base, top):
            return set()
        if len(live) == 1:
            return set(live)
        split = self._split(live, context)
        if split is None:
            return self._one_by_one(live, context)
        one, other = split
        with_one, with_other = context.union(*one), context.union(*other)
        found: set[Units] = set()
        for half, alone, rest in ((one, with_one, with_other), (other, with_other, with_one)):
            acts_alone = board.differ(base, alone)
            acts_on_top = board.differ(rest, top)
            if acts_alone:
                found |= self._explore(half, context)
            if acts_on_top and (not acts_alone or self._depends(base, alone, rest, top)):
                found |= self._explore(half, rest)
        return found

    def _split(self, live: list[Units], context: Units) -> tuple[list[Units], list[Units]] | None:
        """Two halves that both run in this context; None where no such halves were found."""
        middle = len(live) // 2
        order = list(live)
        for _ in range(4):
            one, other = order[:middle], order[middle:]
            sets = (context.union(*one), context.union(*other))
            self.board.ask(sets)
            if all(self.board.feasible(s) for s in sets):
                return one, other
            self.rng.shuffle(order)
        return None

    def _depends(self, base: Units, alone: Units, rest: Units, top: Units) -> bool:
        """Whether a half does something else on top of the other half than it does alone."""
        by_itself = self.board.difference(base, alone)
        on_top = self.board.difference(rest, top)
        n = len(self.board.seeds_of(base, alone, rest, top)) or 1
        apart = abs(on_top - by_itself)
        limit = max(0.1 * max(abs(by_itself), abs(on_top)), 0.05 * self.board.scale)
        return bool(apart > limit + 2 * self.board.noise.sd / n**0.5)

    def _one_by_one(self, live: list[Units], context: Units) -> set[Units]:
        """Each block added alone and taken away alone, where halves crash."""
        board = self.board
        top = context.union(*live)
        board.ask([context | b for b in live] + [top - b for b in live])
        found = set()
        for block in live:
            if board.feasible(context | block) and board.differ(context, context | block):
                found.add(block)
            if board.feasible(top - block):
                if board.differ(top - block, top):
                    found.add(block)
            elif not board.feasible(context | block):
                found.add(block)  # it can be flipped neither way: it stays suspected
        return found

    # -- completeness -------------------------------------------------------------------------

    def _complete(self, live: list[Units]) -> None:
        """The causes alone must give the candidate, the rest alone must move nothing."""
        board = self.board
        for _ in range(2):
            causal = NOTHING.union(*self.causal)
            rest = [block for block in live if block not in self.causal]
            if not rest:
                return
            others = NOTHING.union(*rest)
            board.ask([causal, others])
            missing: set[Units] = set()
            if board.feasible(causal) and board.differ(causal, self.all):
                missing |= self._explore(rest, causal)
            if board.feasible(others) and board.differ(NOTHING, others):
                missing |= self._explore(rest, NOTHING)
            if not missing and board.feasible(causal) and board.differ(causal, self.all):
                # Units may be inert on both sides and yet matter in between.
                idle = [b for b in self.blocks if b & self.inert]
                missing |= self._explore(idle, causal)
            if not missing:
                return
            live = [*live, *(b for b in self.blocks if b in missing and b not in live)]
            self.causal = [b for b in live if b in missing or b in self.causal]

    # -- the result ---------------------------------------------------------------------------

    def finding(self, ended: str) -> Finding:
        """What is known now."""
        board, done = self.board, self.estimated
        sides = _sides(board, "")
        notes = [*self.notes, *([ended] if ended else [])]
        if done is None:
            notes += [f"suspected so far: units {sorted(map(sorted, self.causal))}"] * bool(
                self.causal
            )
            return _with(sides, "out of budget", notes=notes, inert=frozenset(self.inert),
                         remainder=sides.delta)  # fmt: skip
        blamed = NOTHING.union(*(cause.units for cause in done.causes))
        causes = tuple(
            cause.of_kind("inseparable") if cause.units in self.inseparable else cause
            for cause in done.causes
        )
        verdict = "explained" if causes else "unexplained"
        if ended:
            verdict = "out of budget"
        return _with(
            sides,
            verdict,
            causes=causes,
            shares=done.shares,
            inert=frozenset(self.inert),
            without_effect=self.all - frozenset(self.inert) - blamed,
            remainder=done.remainder,
            interactions=done.interactions,
            notes=[*notes, *done.notes],
        )


def _sides(board: Board, verdict: str) -> Finding:
    """Both sides as far as they are known, at one seed at least."""
    everything = board.everything
    seeds = board.seeds_of(NOTHING, everything)
    old, new = (board.values(s, seeds) for s in (NOTHING, everything))
    deltas = [b - a for a, b in zip(old, new, strict=True)]
    return Finding(
        verdict,
        dict(zip(seeds, old, strict=True)),
        dict(zip(seeds, new, strict=True)),
        noise.band(old),
        noise.band(new),
        noise.band(deltas),
        tuple(seeds),
    )


def _with(finding: Finding, verdict: str, *, notes: list[str], **parts: object) -> Finding:
    from dataclasses import replace

    return replace(finding, verdict=verdict, notes=tuple(notes), **parts)  # type: ignore[arg-type]


def _unknown(board: Board, note: str) -> Finding:
    if board.seeds_of(NOTHING, board.everything):
        return _with(_sides(board, ""), "out of budget", notes=[note])
    unknown = Band(float("nan"), float("nan"), float("nan"))
    return Finding("out of budget", {}, {}, unknown, unknown, unknown, (), notes=(note,))


def _of_failure(board: Board, first: Outcome, last: Outcome) -> Finding:
    """One side crashes: which changes make it."""
    note = ""
    crash = last
    if last.feasible:
        crash, note = first, "the baseline crashes: the causes are those that repair it"
    values = [o.value if o.value is not None else float("nan") for o in (first, last)]
    before, after = (Band(v, v, v) for v in values)
    notes = [note] if note else []
    causes: tuple[FoundCause, ...] = ()
    if first.feasible or last.feasible:
        try:
            causes = find_failure(board, repaired=last.feasible)
        except OutOfBudget:
            notes.append("the budget ended before the smallest set was found")
    else:
        notes.append("both sides crash")
    seed = board.seeds[0]
    return Finding(
        "failure",
        {seed: values[0]} if first.feasible else {},
        {seed: values[1]} if last.feasible else {},
        before,
        after,
        Band(0.0, 0.0, 0.0),
        (seed,),
        causes=causes,
        notes=tuple(notes),
        baseline_error=first.error,
        candidate_error=crash.error if not last.feasible else "",
    )
