"""Random projects and edits: each build gives what a clean one would; nothing runs needlessly.

After every edit each artifact's digest is compared with that of the value which an oracle works
out from the project's data (`random_project.py`), independently of any code that is run. Each
sequence ends with a real clean build in an empty store. Workers are forked from a process that
has the engine imported; a few sequences run with spawned ones, as users have them. 5,000 sequences
are recorded by `bench/random_edits.py`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from tests.engine.editing import Mismatch, Sequence
from tests.engine.forked import Zygote, forked_worker
from tests.engine.random_project import EDITS, Maker, Model

from whence.engine import pool, receipts
from whence.engine.build import Builder
from whence.graph.code import CodeTree

EDITS_EACH = 22
seeds = st.integers(0, 2**32 - 1)


class Edits(RuleBasedStateMachine):
    """A project that is edited; every step builds and compares."""

    sequence: Sequence | None = None
    failed = False

    @initialize(seed=seeds)
    def make(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.failed = True  # until it is known to have gone well
        self.sequence = Sequence(Maker(Model(), self.rng.randrange))
        self.failed = False

    @rule(name=st.sampled_from([*EDITS, "revert", "revert"]), seed=seeds)
    def edit(self, name: str, seed: int) -> None:
        assert self.sequence is not None
        self.rng.seed(seed)
        before, self.failed = len(self.sequence.edits), True
        while len(self.sequence.edits) == before:  # where it has nothing to work on, another one
            if name == "revert":
                self.sequence.revert()
            else:
                self.sequence.edit(name)
            name = self.rng.choice(EDITS)
        self.failed = False

    def teardown(self) -> None:
        if self.sequence is not None:
            try:
                if not self.failed:
                    self.sequence.compare_with_clean_build()
            finally:
                self.sequence.close()


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def quick(zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forked workers; receipts however young the files are."""
    monkeypatch.setattr(pool, "WorkerProcess", forked_worker(zygote))
    monkeypatch.setattr(receipts, "GRANULARITY_NS", 0)


def check(count: int) -> None:
    run_state_machine_as_test(
        Edits,
        settings=settings(max_examples=count, stateful_step_count=EDITS_EACH, deadline=None),
    )


@pytest.mark.usefixtures("quick")
def test_a_few_sequences() -> None:
    check(6)


@pytest.mark.system
@pytest.mark.usefixtures("quick")
def test_two_hundred_sequences() -> None:
    check(200)


@pytest.mark.system
def test_sequences_with_spawned_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "GRANULARITY_NS", 0)
    check(5)


# -- who watches the watchers ------------------------------------------------------------------


def _ignore_observations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Builder, "_holds", lambda *args: True)


def _ignore_code(monkeypatch: pytest.MonkeyPatch) -> None:
    closure = CodeTree.closure
    first: dict[tuple[str, str], object] = {}

    def stale(self: CodeTree, module: str, qualname: str, **more: object) -> object:
        found = closure(self, module, qualname, **more)  # type: ignore[arg-type]
        return first.setdefault((module, qualname), found)

    monkeypatch.setattr(CodeTree, "closure", stale)


def _count_whole_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a builder does that hashes whole files: never stale, and often needless."""
    from whence.graph.digest import digest_text

    closure = CodeTree.closure

    def coarse(self: CodeTree, module: str, qualname: str, **more: object) -> object:
        found = closure(self, module, qualname, **more)  # type: ignore[arg-type]
        everything = [repr(summary) for _, summary in sorted(self.modules.items())]
        return found._replace(digest=digest_text("all", found.digest, *everything))

    monkeypatch.setattr(CodeTree, "closure", coarse)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("sabotage", "message"),
    [
        (_ignore_observations, "stale|no receipt"),
        (_ignore_code, "stale"),
        (_count_whole_modules, "without need"),
    ],
)
def test_a_broken_engine_is_noticed(
    sabotage: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)  # type: ignore[operator]
    for seed in range(12):
        rng = random.Random(seed)
        sequence = None
        try:
            sequence = Sequence(Maker(Model(), rng.randrange))
            while len(sequence.edits) < EDITS_EACH:
                sequence.edit(rng.choice(EDITS))
        except Mismatch as error:
            assert re.search(message, str(error))
            return
        finally:
            if sequence is not None:
                sequence.close()
    pytest.fail("nobody noticed")
