"""What people agreed on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Readings outside of these are broken instruments."""

    temp_low: float = -30.0
    temp_high: float = 130.0
    wind_high: float = 80.0
    visib_high: float = 12.0
    pressure_low: float = 940.0
    pressure_high: float = 1060.0
    turnaround_high: float = 400.0


LIMITS = Limits()

LATE_MINUTES = 15
BUILT_UNTIL = 2013
PRIOR_CAP = 60
OLD_AGE = 18.0
RUSH_FROM, RUSH_TO = 15, 21
TRAFFIC_UNIT = 1.0
USE_TRAFFIC_UNIT = False
FILL_METHOD = "median"
REPORT_DIGITS = 4
