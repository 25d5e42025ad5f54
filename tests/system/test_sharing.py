"""A killed `whence build` loses little, and two at once share one store: at 1,000 nodes."""

from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.system
BENCH = Path(__file__).parent.parent.parent / "bench" / "engine"


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    import crash

    return crash


def test_killed_at_half_only_the_rest_runs_again(crash: ModuleType) -> None:
    crash.kill_at_half(crash.Shape(1000))


def test_two_cold_builds_at_once_share_the_work(crash: ModuleType) -> None:
    crash.two_builders(crash.Shape(1000))
