# `make` lists the targets. Everything is set up on demand in .venv; only Python 3.11+ must be there.
PYTHON ?= python3
LAKE ?= ./lake
BIN := .venv/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help run test lint format docs lock bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run ## the whole job, offline: recorded bars -> ./lake
	@$(BIN)/tickerlake run --offline --lake $(LAKE)

test: .venv/dev ## all tests that need no Docker
	$(BIN)/pytest -n 2 --dist worksteal

lint: .venv/dev ## formatting, lint, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: .venv/dev ## format and fix what can be fixed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: .venv/dev ## regenerate what is generated
	$(BIN)/python -m tickerlake.dictionary

lock: .venv/dev ## refresh uv.lock and requirements.txt after a change of pyproject.toml
	$(UV) lock
	$(UV) export --quiet --locked --no-dev --no-emit-project --output-file requirements.txt

bench: .venv/dev ## the figures in the README (takes some minutes)
	for benchmark in benchmarks/*.py; do $(BIN)/python $$benchmark; done

clean: ## remove the environment, caches and the local lake
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist lake

$(UV):
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/run: $(UV) pyproject.toml uv.lock
	$(UV) sync --quiet --locked --no-dev --inexact
	@touch $@

.venv/dev: $(UV) pyproject.toml uv.lock
	$(UV) sync --quiet --locked --inexact
	@touch $@ .venv/run
