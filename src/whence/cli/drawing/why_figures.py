"""The figures of an explanation: its metric, differences and intervals, in one precision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def is_number(value: object) -> bool:
    """Whether there is a finite number: a side that crashed has none."""
    return isinstance(value, int | float) and math.isfinite(value)


class Figures:
    """Says the figures of one explanation.

    Parameters
    ----------
    why : mapping
        An explanation in its JSON form.
    """

    def __init__(self, why: Mapping[str, Any]) -> None:
        self.why = why
        self.metric, self.verdict = str(why["metric"]), str(why["verdict"])
        self.before, self.after = why["baseline"], why["candidate"]
        self.delta = why["delta"]
        self.decimals = self._decimals()

    def _decimals(self) -> int:
        """Decimals that leave the difference (or, without one, the spread) two digits."""
        old, new = self.before["band"]["mean"], self.after["band"]["mean"]
        level = max([abs(v) for v in (old, new) if is_number(v)], default=1.0)
        scale = abs(self.delta["mean"]) if is_number(self.delta["mean"]) else 0.0
        if self.verdict == "noise":
            scale = max(scale, self.half(self.delta))
        if not scale:
            scale = level / 100
        if not scale:
            return 3
        wanted = 1 - math.floor(math.log10(scale))
        return min(max(wanted, 3 if level < 10 else 0), 9)

    def figure(self, value: object, signed: bool = False) -> str:
        """A value of the metric, or a difference."""
        if not is_number(value):
            return "–"
        number = float(value)  # type: ignore[arg-type]
        text = f"{number:{'+' if signed else ''},.{self.decimals}f}"
        if not any(c in "123456789" for c in text):
            text = text.lstrip("+-")
            if number:  # too small for the common precision, but not nothing
                text = f"{number:{'+' if signed else ''}.1g}"
        return text.replace("-", "−")

    def half(self, band: Mapping[str, Any]) -> float:
        """Half the width of an interval."""
        if not all(is_number(band[key]) for key in ("low", "high")):
            return 0.0
        return float(band["high"] - band["low"]) / 2

    def band(self, band: Mapping[str, Any] | None, signed: bool = False) -> str:
        """ "−0.093 ± 0.006"; the interval's ends where it is lopsided."""
        if band is None or not is_number(band["mean"]):
            return "–"
        mean, half = self.figure(band["mean"], signed), self.half(band)
        if not half:
            return mean
        if abs((band["low"] + band["high"]) / 2 - band["mean"]) > 0.1 * half:
            low, high = (self.figure(band[key], signed) for key in ("low", "high"))
            return f"{mean} [{low}, {high}]"
        return f"{mean} ± {self.figure(half)}"

    @property
    def has_sides(self) -> bool:
        """Whether the metric could be made on both sides."""
        return all(is_number(side["band"]["mean"]) for side in (self.before, self.after)) and not (
            self.before["error"] or self.after["error"]
        )

    def side(self, side: Mapping[str, Any]) -> str:
        """The metric of one side, or that there is none."""
        if side["error"] or not is_number(side["band"]["mean"]):
            return "crashes" if side["error"] else "unknown"
        return self.figure(side["band"]["mean"])

    def direction(self) -> str:
        """ "worse" or "better", where the metric has a direction and the difference is real."""
        mean = self.delta["mean"]
        if self.verdict in ("noise", "unchanged", "failure") or not self.has_sides or not mean:
            return ""
        if self.why["better"] not in ("higher", "lower"):
            return ""
        return "better" if (mean > 0) == (self.why["better"] == "higher") else "worse"

    def is_harm(self, effect: float) -> bool:
        """Whether a difference of this sign is for the worse; like the whole one if unknown."""
        if self.why["better"] in ("higher", "lower"):
            return bool((effect < 0) == (self.why["better"] == "higher"))
        return bool(effect * (self.delta["mean"] or 0.0) > 0)
