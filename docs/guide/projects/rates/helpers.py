"""What the nodes share."""

SPREAD = 0.5


def widen(value: float) -> float:
    """The value with the spread on top."""
    return value * (1 + SPREAD)


def double(value: float) -> float:
    return 2 * value
