"""The smallest pipeline that shows something."""

import pandas as pd

import whence as wh

weather = wh.files("weather.csv")  # a source


@wh.table
def warm_days(weather: pd.DataFrame, above: float = 3.0) -> pd.DataFrame:
    """Its parameter `weather` is the source; `above` can be set from outside."""
    return weather[weather["degrees"] > above]


@wh.metric(better="higher")
def mean_warmth(warm_days: pd.DataFrame) -> float:
    return warm_days["degrees"].mean()
