"""Call back when a module has just been imported, or at once where it already is."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from typing import Any


class AfterImport:
    """A finder that finds nothing itself, but wraps the loaders of the modules waited for."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Callable[[Any], None]]] = {}
        self._inside: set[str] = set()

    def add(self, name: str, callback: Callable[[Any], None]) -> None:
        """Call `callback(module)` once `name` is imported."""
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if module is not None and not getattr(spec, "_initializing", False):
            callback(module)
            return
        self._waiting.setdefault(name, []).append(callback)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec that the other finders give, its loader made to call back afterwards."""
        if name not in self._waiting or name in self._inside:
            return None
        self._inside.add(name)
        try:
            spec = None
            for finder in sys.meta_path:
                if finder is not self and hasattr(finder, "find_spec"):
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        break
        finally:
            self._inside.discard(name)
        loader = spec.loader if spec is not None else None
        if loader is None or not hasattr(loader, "exec_module"):
            return spec
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            for callback in self._waiting.pop(name, ()):
                callback(module)

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


_after_import = AfterImport()
after_import = _after_import.add
