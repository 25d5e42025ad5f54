"""whence: one graph of plain Python functions, from sources to served predictions, with the why.

Everything public is here, imported when it is first used, so that `import whence` stays light.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from whence.data import files as files
    from whence.data import table as table
    from whence.engine.project import Build as Build
    from whence.engine.project import Project as Project
    from whence.errors import WhenceError as WhenceError
    from whence.graph.nodes import node as node
    from whence.graph.nodes import param as param
    from whence.graph.nodes import window as window
    from whence.models import Estimate as Estimate
    from whence.models import figure as figure
    from whence.models import metric as metric
    from whence.models import model as model
    from whence.serve import service as service
    from whence.store.formats import register_format as register_format

__version__ = "0.1.0"

_WHERE = {
    "Build": "whence.engine.project",
    "Estimate": "whence.models",
    "Project": "whence.engine.project",
    "WhenceError": "whence.errors",
    "figure": "whence.models",
    "files": "whence.data",
    "metric": "whence.models",
    "model": "whence.models",
    "node": "whence.graph.nodes",
    "param": "whence.graph.nodes",
    "register_format": "whence.store.formats",
    "service": "whence.serve",
    "table": "whence.data",
    "window": "whence.graph.nodes",
}

__all__ = [*_WHERE, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        from whence.errors import did_you_mean

        near = did_you_mean(name, _WHERE)
        hint = f"; did you mean '{near}'?" if near else ""
        raise AttributeError(f"module 'whence' has no attribute '{name}'{hint}")
    from importlib import import_module

    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
