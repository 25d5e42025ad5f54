"""What a task leaves in the project's modules, where the next task of the process could find it.

A function with `lru_cache` reads a file once; who calls it second has read nothing that the
recorder could see, and would be stale when the file changes. So caches are emptied between tasks,
and a worker in whose modules a reading task changed something else takes no further task.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

_SIZED = (dict, list, set, bytearray, deque)
#: Of larger containers only the size is compared.
_FEW = 1000
_CACHED = type(functools.lru_cache(lambda: None))


class Leftovers:
    """Looks after the project's modules of one process.

    Parameters
    ----------
    is_project_file : callable
        Whether a module with this file is the project's own.
    """

    def __init__(self, is_project_file: Callable[[str], bool]) -> None:
        self._is_project_file = is_project_file
        self._read = False  # whether any task so far read what it did not declare
        self._before: dict[tuple[str, str], Any] | None = None

    def begin(self) -> None:
        """Before a task: no cache may hold what an earlier one read."""
        if self._before is None:
            self._before = self._state()
        if self._read:
            for module in self._modules():
                for value in list(vars(module).values()):
                    _clear(value)
                    if isinstance(value, type) and value.__module__ == module.__name__:
                        for member in list(vars(value).values()):
                            _clear(getattr(member, "__func__", member))

    def end(self, read: bool) -> bool:
        """After a task that `read` undeclared things or not: whether its process is spoiled."""
        if not read:
            return False
        self._read = True
        before, self._before = self._before or {}, self._state()
        # A module that was imported meanwhile is no change: what it read is known of it.
        known = {module for module, _ in before}
        return any(
            before.get(key) != value for key, value in self._before.items() if key[0] in known
        )

    def _modules(self) -> Iterator[ModuleType]:
        for module in list(sys.modules.values()):
            if self._is_project_file(getattr(module, "__file__", None) or ""):
                yield module

    def _state(self) -> dict[tuple[str, str], Any]:
        """What each global name holds, by identity, and one level of what is in it."""
        return {
            (module.__name__, name): _look(value, module.__name__)
            for module in self._modules()
            for name, value in list(vars(module).items())
            if not name.startswith("__") and not isinstance(value, ModuleType)
        }


class _Same:
    """Equal only to itself: keeps the object, so that no other can get its identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def _look(value: Any, module: str) -> Any:
    if isinstance(value, _CACHED):
        return _Same(value)
    inside: list[Any] = []
    if isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            try:
                inside.append(_flat(cell.cell_contents))
            except ValueError:
                inside.append(None)  # not bound yet
        inside += [_flat(v) for v in vars(value).values()]
    elif isinstance(value, type):
        if value.__module__ == module:
            inside = [(name, _flat(v)) for name, v in vars(value).items() if name[:2] != "__"]
    elif isinstance(attributes := getattr(value, "__dict__", None), dict):
        inside = [(name, _flat(v)) for name, v in list(attributes.items())]
    return (_flat(value), inside)


def _flat(value: Any) -> Any:
    if not isinstance(value, _SIZED):
        return _Same(value)
    if len(value) > _FEW or isinstance(value, bytearray):
        return (_Same(value), len(value))
    members = list(value.items()) if isinstance(value, dict) else list(value)
    return (_Same(value), [_Same(m) for pair in members for m in _pair(pair)])


def _pair(member: Any) -> tuple[Any, ...]:
    return member if isinstance(member, tuple) else (member,)


def _clear(value: Any) -> None:
    if isinstance(value, _CACHED):
        value.cache_clear()
