"""Will a flight arrive late? Read `sources`, `cleaning`, `tables`, `features`, `training`, `evaluate`."""
