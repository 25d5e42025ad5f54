"""Nodes that read more than their inputs."""

import json
import os
import random
from pathlib import Path

import helpers

import whence as wh


@wh.node(deterministic=False, max_age="12h")
def quoted() -> float:
    """A rate of the moment; think of a call over the network with RATES_TOKEN."""
    os.environ.get("RATES_TOKEN")
    return random.SystemRandom().uniform(1.0, 2.0)


@wh.node
def margin() -> float:
    """Read from a file that nobody declared."""
    return json.loads(Path("settings.json").read_text())["margin"]


@wh.node
def currency() -> str:
    return os.environ.get("CURRENCY", "EUR")


@wh.node
def price(quoted: float, margin: float) -> float:
    return helpers.widen(round(quoted, 6)) * (1 + margin)


@wh.node
def label(price: float, currency: str) -> str:
    return f"{price:.2f} {currency}"


@wh.node
def transformed(margin: float, how: str = "double") -> float:
    return getattr(helpers, how)(margin)
