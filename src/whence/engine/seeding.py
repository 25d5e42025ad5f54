"""Seed the global random generators before each task, and tell whether the task drew from them.

Seeds come from (world seed, node name, partition) and from nothing else, so that an innocent
edit draws no new randomness. A library that is first imported during the task is seeded then.
"""

from __future__ import annotations

import hashlib
import random
import sys
from typing import Any

from whence.engine.observe_hooks import after_import


def seeds_of(seed: int, node: str, partition: str) -> tuple[int, int, int]:
    """Three 32-bit seeds: for `random`, NumPy's global generator, and torch.

    Examples
    --------
    >>> seeds_of(0, "model", "") == seeds_of(0, "model", "")
    True
    >>> seeds_of(0, "model", "") == seeds_of(0, "model", "2013-01")
    False
    """
    text = f"seed\n{seed}\n{len(node)}:{node}\n{partition}"
    data = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return (
        int.from_bytes(data[0:4], "big"),
        int.from_bytes(data[4:8], "big"),
        int.from_bytes(data[8:12], "big"),
    )


class _Generators:
    """The seeds of the task at hand, and the states they put the generators in."""

    def __init__(self) -> None:
        self.seeds: tuple[int, int, int] | None = None
        self.expected = 0  # what `random` gives next, where nobody has drawn from it
        self.numpy: Any = None
        self.torch: Any = None
        self.hooked = False

    def seed_numpy(self, module: Any) -> None:
        if self.seeds is not None:
            module.seed(self.seeds[1])
            self.numpy = module.get_state(legacy=False)

    def seed_torch(self, module: Any) -> None:
        if self.seeds is not None:
            module.manual_seed(self.seeds[2])
            self.torch = module.get_rng_state()


_generators = _Generators()
_spare = random.Random()
#: So many bits tell two states of a generator apart for good, at a tenth of the cost of the states.
_BITS = 128


def seed_all(seed: int, node: str, partition: str = "") -> None:
    """Seed `random`, NumPy's global generator and torch, the latter two once they are loaded."""
    state = _generators
    if not state.hooked:
        after_import("numpy.random", state.seed_numpy)
        after_import("torch", state.seed_torch)
        state.hooked = True
    state.seeds = seeds_of(seed, node, partition)
    random.seed(state.seeds[0])
    _spare.seed(state.seeds[0])
    state.expected = _spare.getrandbits(_BITS)
    state.numpy = state.torch = None
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        state.seed_numpy(numpy_random)
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "get_rng_state"):
        state.seed_torch(torch)


def consumed() -> bool:
    """Whether a global generator moved since `seed_all`: drawn from, or seeded anew."""
    state = _generators
    if state.seeds is None:
        return False
    if random.getrandbits(_BITS) != state.expected:
        return True
    random.seed(state.seeds[0])  # as if nobody had looked
    if state.numpy is not None:
        now = sys.modules["numpy.random"].get_state(legacy=False)
        then = state.numpy
        if (
            now["state"]["pos"] != then["state"]["pos"]
            or now["has_gauss"] != then["has_gauss"]
            or now["state"]["key"].tobytes() != then["state"]["key"].tobytes()
        ):
            return True
    if state.torch is not None:
        torch: Any = sys.modules["torch"]
        return not torch.equal(torch.get_rng_state(), state.torch)
    return False
