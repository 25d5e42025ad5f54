# Everything from a fresh clone with only make and Python >= 3.11.
# `make` lists the targets. Set-up is done once, and again when a pinned version changes.

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
REQUIREMENTS := requirements/lock.txt requirements/torch.txt

# The first Python that really runs and is new enough (a name on PATH may be a shim that does not).
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help venv demo tour test test-system lint types layers docs-check check bench clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): pyproject.toml $(REQUIREMENTS)
	@if [ -z "$(PYTHON)" ]; then \
		echo "whence needs Python 3.11 or newer (with venv), and none was found on PATH."; \
		echo "  Fix: install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "PYTHON=$(PYTHON) is older than 3.11 or does not run."; \
		echo "  Fix: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "==> $(VENV): setting up with $$($(PYTHON) -V) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/lock.txt
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/torch.txt \
		|| echo "==> torch did not install here: its tests will be skipped, and say so"; fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

venv: $(READY) ## set up the environment in .venv

demo: $(READY) ## from raw flights to a traced live prediction
	@$(BIN)/python examples/flights/demo.py

tour: $(READY) ## which change moved the metric: why, step by step
	@$(BIN)/python examples/flights/tour.py

test: $(READY) ## unit tests and doctests
	@$(BIN)/python -m pytest -n auto

test-system: $(READY) ## servers, crashes, two builders: minutes
	@$(BIN)/python -m pytest -m system -n 2

lint: $(READY) ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

layers: $(READY) ## rooms import downward only
	@$(BIN)/lint-imports

docs-check: $(READY) ## run the commands that the docs show
	@$(BIN)/python scripts/check_docs.py

check: lint types layers test docs-check ## what a change must pass

bench: $(READY) ## the engine side by side with its peers
	@$(BIN)/python bench/engine/run.py

clean: ## remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
