"""A project written as a mapping of paths to texts, and the closure of one of its nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from textwrap import dedent

from whence.graph.code import Closure, CodeTree, ModuleSource, ModuleSummary, summarise


def tree(files: Mapping[str, str], roots: Sequence[str] | None = ("prep.nodes",)) -> CodeTree:
    """The tree of a project; every package in it has an ``__init__`` unless it says otherwise."""
    texts = {path: dedent(text) for path, text in files.items()}
    if any(path.startswith("prep/") for path in texts):
        texts.setdefault("prep/__init__.py", "")
    summaries = []
    for path, text in texts.items():
        parts = path.removesuffix(".py").split("/")
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        summary = summarise(ModuleSource(name, path, text, package))
        summaries.append(ModuleSummary.from_json(json.loads(json.dumps(summary.to_json()))))
        assert summaries[-1] == summary
    return CodeTree(summaries, roots=roots)


def closure(
    files: Mapping[str, str], node: str = "node", parameters: Sequence[str] = ("data",)
) -> Closure:
    """The closure of a node in prep/nodes.py."""
    return tree(files).closure("prep.nodes", node, parameters=parameters)


def edited(files: Mapping[str, str], edits: Mapping[str, str | tuple[str, str]]) -> dict[str, str]:
    """`files` after `edits`: a whole new text, or (old, new) inside of the text."""
    out = {path: dedent(text) for path, text in files.items()}
    for path, edit in edits.items():
        if isinstance(edit, str):
            out[path] = dedent(edit)
        else:
            old, new = edit
            assert old in out[path], (old, out[path])
            out[path] = out[path].replace(old, new)
    return out
