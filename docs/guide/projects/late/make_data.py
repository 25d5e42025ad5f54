"""Three months to learn from, and two that were served: in October the queue was often not sent."""

from pathlib import Path

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)


def flights(n: int, start: str, days: int, fuel_price: float) -> pd.DataFrame:
    """Departures between two days, with what was known before them."""
    wind = rng.gamma(3, 3, n).round(1)
    queue = (rng.gamma(4, 2, n) + 0.5 * wind).round()
    hour = rng.integers(6, 23, n)
    signal = 0.35 * (queue - 12) + 0.1 * (wind - 9) + 0.1 * (hour - 14)
    seconds = (np.sort(rng.random(n)) * days * 86_400).round()
    return pd.DataFrame(
        {
            "time": pd.Timestamp(start) + pd.to_timedelta(seconds, "s"),
            "queue": queue,
            "wind": wind,
            "hour": hour,
            "fuel_price": rng.normal(fuel_price, 0.1, n).round(2),
            "late": (rng.random(n) < 1 / (1 + np.exp(-signal))).astype(int),
        }
    )


Path("data").mkdir(exist_ok=True)
flights(4000, "2026-06-01", 90, 2.9).to_parquet("data/history.parquet")
september, october = flights(3000, "2026-09-01", 30, 2.9), flights(3000, "2026-10-01", 31, 3.4)
october.loc[rng.random(3000) < 0.4, "queue"] = 0.0
pd.concat([september, october]).to_parquet("data/served.parquet")
