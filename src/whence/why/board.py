"""What is known of a game so far, and comparisons of two mixes at as few seeds as they need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from whence.why import noise
from whence.why.game import Game, Mix, Outcome
from whence.why.noise import NONE, Noise

Units = frozenset[int]

#: A difference that is less of the largest effect is minor: reported, but no cause.
MINOR = 0.02
#: A difference that is surely less of it needs no more seeds.
NEGLIGIBLE = 0.1
#: Two floats this close, relative to their size, are one number computed in two ways.
DUST = 1e-9


class Board:
    """Asks a game, remembers, and compares.

    Attributes
    ----------
    noise : Noise
        Of a difference at one seed, as learnt so far.
    scale : float
        The largest effect seen; smaller ones are measured against it.
    """

    def __init__(self, game: Game, max_seeds: int) -> None:
        self.game = game
        self.seeds = list(game.seeds)[:max_seeds]
        self.known: dict[Mix, Outcome] = {}
        self.noise: Noise = NONE
        self.scale = 0.0

    @property
    def everything(self) -> Units:
        return frozenset(range(self.game.size))

    def ask(self, sets: Iterable[Units], seeds: Iterable[int] = ()) -> None:
        """Have the outcomes of these sets at these seeds (the first by default), all at once."""
        chosen = list(seeds) or self.seeds[:1]
        mixes = [Mix(flipped, seed) for flipped in sets for seed in chosen]
        new = [mix for mix in dict.fromkeys(mixes) if mix not in self.known]
        if new:
            self.known.update(zip(new, self.game.evaluate(new), strict=True))

    def outcome(self, flipped: Units, seed: int | None = None) -> Outcome:
        """One outcome, asked for where it is not known."""
        mix = Mix(flipped, self.seeds[0] if seed is None else seed)
        if mix not in self.known:
            self.ask([flipped], [mix.seed])
        return self.known[mix]

    def values(self, flipped: Units, seeds: Sequence[int]) -> list[float]:
        """The metric at each of these seeds, of a mix that runs at them."""
        self.ask([flipped], seeds)
        found = [self.outcome(flipped, seed).value for seed in seeds]
        return [value for value in found if value is not None]

    def seeds_of(self, *sets: Units) -> list[int]:
        """Seeds at which all these mixes are known and run."""
        return [
            seed
            for seed in self.seeds
            if all((o := self.known.get(Mix(s, seed))) is not None and o.feasible for s in sets)
        ]

    def feasible(self, flipped: Units) -> bool:
        return self.outcome(flipped).feasible

    def same(self, one: Units, other: Units) -> bool:
        """Whether two mixes have exactly one result."""
        first, second = self.outcome(one), self.outcome(other)
        return first.feasible and first.digest == second.digest

    def difference(self, base: Units, other: Units) -> float:
        """Mean of other minus base over the seeds that both are known at."""
        seeds = self.seeds_of(base, other) or self.seeds[:1]
        pairs = zip(self.values(base, seeds), self.values(other, seeds), strict=True)
        return fmean([b - a for a, b in pairs])

    def _learn(self) -> None:
        """Take the noise from all mixes that are known at several seeds."""
        if self.noise.is_none:
            return
        found: dict[Units, list[float]] = {}
        for mix, outcome in self.known.items():
            if outcome.value is not None:
                found.setdefault(mix.flipped, []).append(outcome.value)
        sides = [frozenset[int](), self.everything]
        seeds = self.seeds_of(*sides)
        others = [v for s, v in found.items() if s not in sides and len(v) > 1]
        old, new = (self.values(s, seeds) for s in sides)
        self.noise = noise.spread(old, new, others)

    def differ(self, base: Units, other: Units) -> bool:
        """Whether two mixes that run have different values, beyond noise and minor effects."""
        if base == other or self.same(base, other):
            return False
        while True:
            mean = self.difference(base, other)
            if abs(mean) <= max(MINOR * self.scale, DUST * abs(self.outcome(base).value or 0.0)):
                return False
            n = len(self.seeds_of(base, other))
            self._learn()
            error = self.noise.sd / n**0.5
            if error and abs(mean) + 2 * error < NEGLIGIBLE * self.scale:
                return False
            real = noise.judge(mean, n, self.noise)
            if real is not None:
                return real
            more = self.seeds[n : 2 * n]
            if not more:
                return bool(abs(mean) > 3 * error)
            self.ask([base, other], more)
