"""What will a customer spend next quarter? Read `sources`, `cleaning`, `tables`, `features`, `training`, `evaluate`."""
