"""The search finds the sets that are causes by construction, at a low price."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.why.games import Made, Units, logistic, sets

from whence.why.game import Mix, Outcome, OutOfBudget
from whence.why.search import Finding, investigate


def family(finding: Finding) -> set[Units]:
    """The sets that are blamed; of an overlap, each unit by itself."""
    found: set[Units] = set()
    for cause in finding.causes:
        if cause.kind == "overlap":
            found |= {frozenset([unit]) for unit in cause.units}
        else:
            found.add(cause.units)
    return found


def effects(*pairs: tuple[str, float]) -> Mapping[Units, float]:
    """("02", 0.1): units 0 and 2 together add 0.1."""
    return {frozenset(int(digit) for digit in units): effect for units, effect in pairs}


CASES = {
    "one": Made(5, effects(("3", -0.05)), touched=frozenset([1])),
    "pair": Made(6, effects(("04", -0.05)), touched=frozenset([2])),
    "triple": Made(7, effects(("035", -0.06)), touched=frozenset([2])),
    "two": Made(6, effects(("0", -0.04), ("5", -0.08))),
    "one and a pair": Made(8, effects(("1", -0.05), ("46", -0.05))),
    "redundant": Made(6, redundant=[(frozenset([1, 4]), -0.05)], touched=frozenset([2])),
    "redundant three": Made(6, redundant=[(frozenset([1, 2, 4]), -0.05)]),
    "masked": Made(6, effects(("2", -0.06), ("4", 0.03)), touched=frozenset([0])),
    "main and joint": Made(5, effects(("1", -0.05), ("13", -0.05))),
    "saturated": Made(5, effects(("1", -0.8), ("3", -0.6)), link=logistic),
    "migration": Made(6, effects(("1", -0.05)), crashing=sets([1, 4])),
    "migration of three": Made(6, effects(("2", -0.05)), crashing=sets([1, 2, 4])),
    "innocent migration": Made(6, effects(("2", -0.05)), crashing=sets([1, 4])),
    "many": Made(24, effects(("3", -0.05), ("9", 0.04)), touched=frozenset(range(10, 20))),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_the_family_is_exact(name: str, noise: float) -> None:
    game = CASES[name]
    game.noise, game.asked = noise, set()
    finding = investigate(game)
    assert finding.verdict == "explained"
    assert family(finding) == game.family
    assert finding.inert >= game.idle
    if not noise:
        whole = sum(finding.shares.values()) + finding.remainder.mean / finding.delta.mean
        assert whole == pytest.approx(1.0)


def test_kinds() -> None:
    def kinds(name: str) -> set[str]:
        game = CASES[name]
        game.noise = 0.0
        return {cause.kind for cause in investigate(game).causes}

    assert kinds("pair") == kinds("triple") == {"interaction"}
    assert kinds("redundant") == kinds("redundant three") == {"overlap"}
    assert kinds("masked") == {"cause", "improver"}
    assert kinds("migration") == {"inseparable"}
    assert kinds("main and joint") == {"cause", "interaction"}


def test_an_interaction_has_its_table() -> None:
    game = CASES["pair"]
    game.noise = 0.0
    (cause,) = investigate(game).causes
    assert [sorted(row[0]) for row in cause.table] == [[], [0], [4], [0, 4]]
    assert [row[1][0] for row in cause.table] == [0.0, 0.0, 0.0, -0.05]
    assert cause.reverted is not None and cause.reverted.mean == 0.0
    assert {unit: band.mean for unit, band in cause.reverted_one.items()} == {0: 0.0, 4: 0.0}


def test_few_mixes_are_asked_for() -> None:
    for name, most in {"one": 4, "pair": 12, "two": 8, "redundant": 8, "many": 40}.items():
        game = CASES[name]
        game.noise, game.asked = 0.0, set()
        investigate(game)
        made = {(mix.flipped - game.idle) for mix in game.asked}
        assert len(made) - 2 <= most, name


@pytest.mark.parametrize("salt", range(8))
def test_noise_is_no_cause(salt: int) -> None:
    finding = investigate(Made(5, touched=frozenset([0, 2]), noise=0.01, salt=salt))
    assert finding.verdict == "noise"
    assert finding.causes == ()


def test_no_difference_at_all() -> None:
    assert investigate(Made(5)).verdict == "unchanged"
    assert investigate(Made(5, effects(("1", 0.01))), tolerance=0.02).verdict == "noise"


def test_rounding_is_no_difference() -> None:
    game = Made(3, effects(("1", 1e-14)), link=lambda x: 0.75 + x)
    assert investigate(game).verdict == "unchanged"


def test_a_candidate_that_crashes() -> None:
    finding = investigate(Made(8, broken=sets([2, 5])))
    assert finding.verdict == "failure"
    assert family(finding) == {frozenset([2, 5])}
    assert finding.candidate_error == "crashed"
    assert family(investigate(Made(8, broken=sets([3])))) == {frozenset([3])}


class Poor(Made):
    """Answers a few mixes and no more."""

    allowance = 5

    def evaluate(self, mixes: list[Mix]) -> list[Outcome]:  # type: ignore[override]
        if len(self.asked) >= self.allowance:
            raise OutOfBudget
        return super().evaluate(mixes)


def test_a_spent_budget_is_said() -> None:
    finding = investigate(Poor(8, effects(("04", -0.05)), touched=frozenset(range(1, 8))))
    assert finding.verdict == "out of budget"
    assert finding.delta.mean == pytest.approx(-0.05)
    assert any("budget" in note for note in finding.notes)


@given(st.permutations(range(6)), st.sampled_from(["one", "pair", "two", "redundant", "masked"]))
def test_the_numbering_does_not_matter(order: list[int], name: str) -> None:
    game = CASES[name]

    def moved(units: Units) -> Units:
        return frozenset(order[unit] for unit in units)

    other = Made(
        6,
        {moved(s): effect for s, effect in game.effects.items()},
        [(moved(s), effect) for s, effect in game.redundant],
        touched=moved(game.touched),
    )
    finding = investigate(other)
    assert family(finding) == {moved(s) for s in game.family}
    for unit in range(6):
        if not any(unit in s for s in other.family):
            assert finding.shares.get(unit, 0.0) == 0.0


def test_many_random_games() -> None:
    rng = random.Random(7)
    wrong = 0
    for round_ in range(200):
        units = rng.sample(range(7), 4)
        kind = rng.choice(["one", "pair", "two", "masked"])
        size = rng.uniform(0.04, 0.1)
        made = {
            "one": {frozenset(units[:1]): size},
            "pair": {frozenset(units[:2]): -size},
            "two": {frozenset(units[:1]): -size, frozenset(units[1:2]): -0.6 * size},
            "masked": {frozenset(units[:1]): -size, frozenset(units[1:2]): 0.5 * size},
        }[kind]
        game = Made(7, made, touched=frozenset(units[2:]), noise=0.002, salt=round_)
        wrong += family(investigate(game)) != game.family
    assert wrong <= 4
