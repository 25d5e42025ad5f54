"""Documents drawn for people: each view takes what `--json` prints and returns a renderable."""
