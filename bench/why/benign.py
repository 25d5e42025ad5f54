"""Changes that ought to move nothing; truth checks each scenario's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
from scenario import PROJECTS, Change, Text, bump, code, edit_code, rewrite

MODULES = ("cleaning", "tables", "features", "training", "evaluate")


def functions(domain: str) -> list[tuple[str, str, str]]:
    """(path, name, source) of all top-level functions of a project."""
    found = []
    for module in MODULES:
        path = f"flow/{module}.py"
        text = (PROJECTS / domain / path).read_text()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                found.append((path, node.name, ast.get_source_segment(text, node) or ""))
    return found


def named_result(path: str, name: str, source: str, rng: np.random.Generator) -> Change | None:
    """`return x` becomes `result = x; return result`."""
    hits = re.findall(r"(?m)^    return (.+)$", source)
    if len(hits) != 1 or hits[0].count("(") != hits[0].count(")"):
        return None
    word = str(rng.choice(["result", "value", "found", "answer"]))
    new = f"    {word} = {hits[0]}\n    return {word}\n"
    swap = (f"    return {hits[0]}\n", new)
    return edit_code(f"{name}: the result has a name", path, name, swap, guilty=False)


def unused_local(path: str, name: str, source: str, rng: np.random.Generator) -> Change | None:
    """A line that does nothing."""
    docstring = re.search(r'(?m)^    """.*"""\n', source)
    if docstring is None:
        return None
    line = f"    revision = {int(rng.integers(2, 99))}  # for the log\n"
    swap = (docstring.group(), docstring.group() + line)
    return edit_code(f"{name}: an unused local", path, name, swap, guilty=False)


def renamed_local(path: str, name: str, source: str, rng: np.random.Generator) -> Change | None:
    """A local variable has another name."""
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    given = {a.arg for a in tree.args.args}
    names = [
        t.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for t in node.targets
        if isinstance(t, ast.Name) and t.id not in given
    ]
    if not names:
        return None
    old = str(rng.choice(sorted(set(names))))
    if re.search(rf"\b{old}=", source) or re.search(rf"[\"'.]{old}\b", source):
        return None  # it is also a keyword, a column or an attribute
    body = source[source.index('"""') :]
    new = re.sub(rf"\b{old}\b", f"{old}_table", body)
    edit = edit_code(f"{name}: {old} renamed", path, name, (body, new), guilty=False)
    return edit if new != body else None


def comment(path: str, name: str, source: str, rng: np.random.Generator) -> Change | None:
    """A comment; no change at all for whence."""
    found = re.search(r'(?m)^    """.*"""\n', source)
    if found is None:
        return None
    swap = (found.group(), found.group() + "    # Agreed in the spring review.\n")
    return edit_code(f"{name}: a comment", path, name, swap, guilty=False)


def refactors(domain: str, rng: np.random.Generator) -> list[Change]:
    """One refactoring for each function that allows one, in random order."""
    makers = [named_result, unused_local, renamed_local]
    found = []
    for path, name, source in functions(domain):
        order = rng.permutation(len(makers))
        made = [m for i in order if (m := makers[i](path, name, source, rng)) is not None]
        found += made[:1]
    return [found[i] for i in rng.permutation(len(found))]


def settings_field(domain: str, rng: np.random.Generator) -> Change:
    """The class of settings has one field more, which nobody reads."""
    name, first = ("Limits", "temp_low") if domain == "flights" else ("Bounds", "amount_high")
    source = (PROJECTS / domain / "flow/settings.py").read_text()
    line = next(x for x in source.splitlines(keepends=True) if x.startswith(f"    {first}:"))
    new = f"    gusts_high_{int(rng.integers(1, 99))}: float = 99.0\n{line}"
    return edit_code(f"{name}: a field more", "flow/settings.py", name, (line, new), guilty=False)


def version_only(package: str, file: str, function: str) -> Change:
    """A new version of a vendored package, the same but for a function that nobody calls."""
    path = f"vendor/{package}/{file}"
    start = f"def {function}("
    extra = "def version_info() -> tuple[int, ...]:\n    return (1, 0)\n\n\n"
    one = bump(f"{package}: a new version", package, file, guilty=False)
    return Change(one.label, one.kind, one.ids, (*one.edits, Text(path, "", start, extra + start)))


def column_change(
    source: str, paths: list[str], column: str, how: str, rng: np.random.Generator
) -> Change:
    """A column that no node reads is drawn anew, a new one is added, or columns trade places."""
    entropy = int(rng.integers(1 << 30))

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng([entropy, len(path)])
        if how == "redrawn":
            return table.assign(**{column: own.permutation(table[column].to_numpy())})
        if how == "added":
            return table.assign(batch=own.integers(0, 9, len(table)))
        return table[list(reversed(table.columns))]

    what = {"redrawn": f"{column} anew", "added": "a column more", "reordered": "columns reordered"}
    return rewrite(f"{source}: {what[how]}", source, paths, function, guilty=False)


def refresh(source: str, paths: list[str], column: str, rng: np.random.Generator) -> Change:
    """The last digits of a column change, as in a new export."""
    entropy = int(rng.integers(1 << 30))

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng([entropy, len(path)])
        near = table[column] * (1 + own.normal(0, 1e-4, len(table)))
        return table.assign(**{column: near})

    return rewrite(f"{source}: {column} exported anew", source, paths, function, guilty=False)


def ids_of(path: Path, *names: str) -> frozenset[str]:
    return frozenset(code(str(path), name) for name in names)
