"""Which species is this penguin? `prepare` -> `training` -> `evaluate` -> `service`."""
