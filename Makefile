# `make` lists the targets. Everything is set up on demand in .venv; only Python 3.11+ must be there.
PYTHON ?= python3
LAKE ?= ./lake
BIN := .venv/bin
UV := $(BIN)/uv
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
UV_VERSION := 0.13.9
CHECKOV_VERSION := 3.3.30

EXPORT := --quiet --locked --no-dev --no-emit-project

.DEFAULT_GOAL := help
.PHONY: help run test test-spark lint format docs lock dist bench clean images up down e2e e2e-cloud integration infra-check infra-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run ## the whole job, offline: recorded bars -> ./lake
	@$(BIN)/tickerlake run --offline --lake $(LAKE)

test: .venv/dev ## all tests that need no Docker
	$(BIN)/pytest -n 2 --dist worksteal -m "not docker and not spark"

test-spark: .venv/dev dist ## tests of the Spark engine, on a cluster of two workers: needs Java 17
	$(BIN)/pytest -m spark

integration: .venv/dev images ## tests with containers: LocalStack, events, kills (some minutes)
	TICKERLAKE_REQUIRE_DOCKER=1 COMPOSE="$(COMPOSE)" $(BIN)/pytest -m docker tests/integration

e2e: .venv/dev images ## the compose chain, offline, must equal a local run byte for byte
	PATH="$(CURDIR)/$(BIN):$$PATH" COMPOSE="$(COMPOSE)" $(BIN)/pytest -m docker tests/e2e/test_compose.py

e2e-cloud: .venv/dev dist images ## what Terraform deploys, on an emulator of AWS, must equal a local run
	$(BIN)/pytest -s -m docker tests/e2e/cloud

images: ## build the container images
	docker build --quiet --target extractor --tag tickerlake-extractor .
	docker build --quiet --target transformer --tag tickerlake-transformer .
	docker build --quiet --target starter --tag tickerlake-starter .

up: images ## the compose chain with live data: docker compose up
	$(COMPOSE) up

down: ## stop and remove what compose started
	$(COMPOSE) --profile offline --profile events down --volumes

lint: .venv/dev ## formatting, lint, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

infra-check: $(UV) infra-test ## Terraform: infra-test, and checkov
	$(UV) tool run checkov@$(CHECKOV_VERSION) --directory infra --framework terraform --quiet --compact --skip-download

infra-test: ## Terraform: formatting, validity, tests of the root and each module
	terraform fmt -check -recursive infra
	set -e; for module in infra infra/modules/*/; do \
	  echo "== $$module"; \
	  infra/init $$module -backend=false; \
	  terraform -chdir=$$module validate; \
	  terraform -chdir=$$module test; \
	done

format: .venv/dev ## format and fix what can be fixed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: .venv/dev ## regenerate what is generated
	$(BIN)/python tools/dictionary.py
	$(BIN)/python tools/cli_reference.py

lock: $(UV) ## refresh uv.lock and requirements.txt after a change of pyproject.toml
	$(UV) lock
	$(UV) export $(EXPORT) --output-file requirements.txt
	$(UV) export $(EXPORT) --prune duckdb --prune pyarrow --prune polars-talib --prune fsspec \
	  --output-file images/extractor/requirements.txt
	$(UV) export $(EXPORT) --extra spark --output-file images/transformer/requirements.txt

dist: $(UV) ## what AWS needs, in dist/: wheel, Glue's requirements and scripts, the Lambda's zip
	rm -rf dist && mkdir dist
	$(UV) build --quiet --wheel --out-dir dist
	rm -f dist/.gitignore
	$(UV) export $(EXPORT) --prune duckdb --output-file dist/glue-requirements.txt >/dev/null
	cp jobs/glue_extractor_job.py jobs/glue_transformer_job.py dist
	$(BIN)/python images/starter/package.py dist/starter.zip

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
	$(UV) sync --quiet --locked --inexact --extra spark
	@touch $@ .venv/run
