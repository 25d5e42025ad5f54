"""What comes in."""

import whence as wh

flights = wh.files("data/flights/*.parquet", partition_by="file")
weather = wh.files("data/weather.parquet")
planes = wh.files("data/planes.parquet", key="tailnum")
airports = wh.files("data/airports.parquet", key="faa")

holdout_every = wh.param(3)
