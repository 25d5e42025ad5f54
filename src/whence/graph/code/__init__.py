"""Which of the project's code a node depends on, found from the source text alone.

Main path: `summarise.py` (one module -> its definitions and references, cached per file) ->
`resolve.py` (names across modules) -> `effects.py` (what importing the project changes) ->
`tree.py` (the closure of a node). `model.py` has the values that travel between them.

What counts, what falls back to whole modules and what cannot be seen: `docs/model.md`.
"""

from whence.graph.code.model import (
    Closure,
    Definition,
    Fallback,
    FunctionForm,
    ModuleSource,
    ModuleSummary,
    SyntaxFault,
)
from whence.graph.code.summarise import summarise
from whence.graph.code.tree import CodeTree, locate

__all__ = [
    "Closure",
    "CodeTree",
    "Definition",
    "Fallback",
    "FunctionForm",
    "ModuleSource",
    "ModuleSummary",
    "SyntaxFault",
    "locate",
    "summarise",
]
