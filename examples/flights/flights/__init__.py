"""Will this flight arrive more than 15 minutes late? Asked when it is scheduled to depart.

Read in this order: `sources` (what comes in) -> `prepare` (rows that count) -> `history` (what
earlier months say) -> `features` (what is known at departure) -> `training` -> `evaluate`
-> `service`.
"""
