"""What every test shares: repeatable hypothesis examples and a bounded number of workers."""

import os

import pytest
from hypothesis import HealthCheck, settings

# The test processes share the cores: numerical libraries that each took all of them would spin.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Timings belong in bench: here a loaded machine must not fail a property.
settings.register_profile(
    "whence",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# Other seeds and many more examples, by hand: pytest --hypothesis-profile=explore
settings.register_profile(
    "explore", settings.get_profile("whence"), derandomize=False, max_examples=2000
)
settings.load_profile("whence")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`: 2 to 4 unless the environment says, since many tests start processes."""
    chosen = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    return int(chosen) if chosen else max(2, min(4, os.cpu_count() or 2))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the person who runs it."""
    for name in [name for name in os.environ if name.startswith("WHENCE_")]:
        monkeypatch.delenv(name)
