"""Differences: what is not the same between two recipes or two worlds, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from whence.graph.recipe import Recipe
from whence.graph.world import World


class Change(NamedTuple):
    """One difference. `before` or `after` is None where the thing exists on one side only."""

    kind: str  # "code", "input", "param", "distribution", "source", "observed", "trait", "seed"
    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.kind == "code" or (self.before or "").startswith(("sha256:", "blake3:")):
            if self.before is None or self.after is None:
                return f"{self.name} is {'new' if self.before is None else 'gone'}"
            return f"{self.name} changed"
        return f"{self.name} {self.before or '(absent)'} → {self.after or '(absent)'}"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "before": self.before, "after": self.after}


def compare(
    kind: str, before: Mapping[str, str], after: Mapping[str, str], prefix: str = ""
) -> list[Change]:
    """Changes of one kind between two mappings of name to digest, version or value."""
    return [
        Change(kind, prefix + name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def compare_recipes(node: str, where: str, before: Recipe, after: Recipe) -> list[Change]:
    """What changed between two recipes of one task; empty exactly when their parts agree.

    Parameters
    ----------
    node, where : str
        The node's name and its function's dotted name, used in place of "<node>".
    """
    changes: list[Change] = []
    if before.code != after.code:
        named = compare("code", before.definitions, after.definitions)
        changes += [
            Change("code", where if c.name == "<node>" else c.name, c.before, c.after)
            for c in named
        ]
    changes += compare("input", before.inputs, after.inputs)
    changes += compare("param", before.params, after.params, prefix=f"{node}.")
    if before.environment_digest != after.environment_digest:
        changes += compare("distribution", before.environment, after.environment)
    changes += compare("trait", before.traits, after.traits)
    return changes


def compare_worlds(before: World, after: World) -> dict[str, list[Change]]:
    """Changes of data, environment and seed between two worlds; code and params are in recipes."""
    data: list[Change] = []
    for name in sorted({*before.data, *after.data}):
        old, new = before.data.get(name, {}), after.data.get(name, {})
        for change in compare("source", old, new):
            label = f"{name}[{change.name}]" if change.name else name
            data.append(Change("source", label, change.before, change.after))
    seeds = [{"seed": str(world.seed)} for world in (before, after)]
    return {
        "data": data,
        "environment": compare("distribution", before.environment, after.environment)
        + compare("distribution", before.interpreter, after.interpreter),
        "seed": compare("seed", seeds[0], seeds[1]),
    }


def compare_definitions(before: Iterable[Recipe], after: Iterable[Recipe]) -> list[Change]:
    """Changed definitions among all that the recipes of two builds reach."""
    sides: list[dict[str, str]] = []
    for recipes in (before, after):
        merged: dict[str, str] = {}
        for recipe in recipes:
            merged.update({k: v for k, v in recipe.definitions.items() if k != "<node>"})
        sides.append(merged)
    return compare("code", sides[0], sides[1])
