"""Recipes and their fingerprints: two tasks share one exactly when neither needs to run again.

A recipe keeps the parts by name, so that `diff` and `status` can say which one changed; the
fingerprint forgets what must not count (names of nodes, order of parameters).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from whence.graph.digest import Digest, Fingerprint, digest_text


class Recipe(NamedTuple):
    """Everything that may change one task's value, each part by name.

    Attributes
    ----------
    code : Digest
        Of the closure: the node's own function and all definitions that it reaches.
    definitions : mapping
        Definition -> digest, "<node>" for the node's own function; what `code` is made of.
    inputs : mapping
        Parameter -> content digest of the value that it receives.
    params : mapping
        Parameter -> canonical JSON of its value.
    slots : mapping
        Parameter -> the placeholder it has in the closure, where its name does not count.
    environment : mapping
        Distribution -> version or content digest, interpreter and platform among them.
    environment_digest : Digest
        Of `environment`, computed once for the many tasks that share it.
    traits : mapping
        What else decides the value: forms of inputs, table keys, versions of codecs, readers.
    """

    code: Digest
    definitions: Mapping[str, str]
    inputs: Mapping[str, str]
    params: Mapping[str, str]
    slots: Mapping[str, str]
    environment: Mapping[str, str]
    environment_digest: Digest
    traits: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "definitions": dict(self.definitions),
            "inputs": dict(self.inputs),
            "params": dict(self.params),
            "slots": dict(self.slots),
            "environment": dict(self.environment),
            "environment_digest": self.environment_digest,
            "traits": dict(self.traits),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Recipe:
        return Recipe(**data)


def digest_environment(environment: Mapping[str, str]) -> Digest:
    """Digest of the distributions that a task can reach."""
    return digest_text("environment", *(f"{k}={environment[k]}" for k in sorted(environment)))


def fingerprint(recipe: Recipe) -> Fingerprint:
    """Fingerprint of the task that would run `recipe`: its static key in the memo."""
    # A slot is unique among inputs and params: it replaces a parameter name, which is.
    slots = recipe.slots
    arguments = [f"{slots.get(p, p)}=input:{digest}" for p, digest in recipe.inputs.items()]
    arguments += [f"{slots.get(p, p)}=param:{value}" for p, value in recipe.params.items()]
    traits = [f"{slots.get(p, p)}={value}" for p, value in recipe.traits.items()]
    return Fingerprint(
        digest_text(
            "task",
            recipe.code,
            recipe.environment_digest,
            str(len(arguments)),
            *sorted(arguments),
            *sorted(traits),
        )
    )


def digest_union(parts: Mapping[str, str]) -> str:
    """Digest of what a consumer receives from a partitioned node: its partitions in order."""
    if len(parts) == 1 and "" in parts:
        return parts[""]
    flat = [text for key, digest in parts.items() for text in (key, digest)]
    return digest_text("partitions", *flat)


__all__ = ["Recipe", "digest_environment", "digest_union", "fingerprint"]
