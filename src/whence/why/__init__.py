"""Which change moved a metric: mixed worlds between two builds, made and compared."""
