"""What comes in."""

import whence as wh

customers = wh.files("data/customers.parquet", key="customer_id")
plans = wh.files("data/plans.parquet", key="plan")
orders = wh.files("data/orders/*.parquet", partition_by="file")

holdout_every = wh.param(3)
