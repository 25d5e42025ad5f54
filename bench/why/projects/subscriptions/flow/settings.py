"""What people agreed on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """Values outside of these are mistakes of typing."""

    amount_high: float = 5000.0
    age_low: float = 16.0
    age_high: float = 100.0
    satisfaction_high: float = 10.0
    tickets_high: float = 60.0
    tenure_high: float = 5000.0


BOUNDS = Bounds()

LAST_DAY = 728
USD_IN_EUR = 1.0
CONVERT_CURRENCY = False
GAP_METHOD = "median"
PRIOR_CAP = 40
TICKETS_CAP = 8.0
REPORT_DIGITS = 4
