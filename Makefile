# `make` lists the targets. All you need is Python 3.11+: everything else is installed into .venv on demand.
PYTHON ?= python3
LAKE ?= ./lake
BIN := .venv/bin
UV := $(BIN)/uv
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
UV_VERSION := 0.13.9
CHECKOV_VERSION := 3.3.30
AXE_VERSION := 4.14.1

# without compiled modules, every process of the tests would compile pandas and Polars again
unexport PYTHONDONTWRITEBYTECODE

# what jobs never need, and so no image and no Glue package has
FOR_PEOPLE := --extra query --extra report --extra terminal
EXPORT := --quiet --locked --no-dev --no-emit-project

.DEFAULT_GOAL := help
.PHONY: help run test test-browser test-spark test-readers mutants lint format docs pictures docs-check lock dist bench clean images up down e2e e2e-cloud integration infra-check infra-test

##@ Use
run: .venv/run ## fill ./lake from recorded bars; no network needed beyond a package index
	@echo "Running: tickerlake run --offline --lake $(LAKE)"
	@$(BIN)/tickerlake run --offline --lake $(LAKE)

help: ## list the targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Develop
test: .venv/dev ## run all tests that need neither Docker nor Java; DAY=2031-03-12: as if on that day
	$(if $(DAY),$(BIN)/python tools/on_date.py $(DAY)) $(BIN)/pytest -n 3 --dist worksteal -m "not browser and not docker and not spark and not transcripts and not readers" --ignore tests/browser

test-browser: .venv/browser ## test the report in Chromium; npm, if there, adds axe-core's checks
	TICKERLAKE_AXE=.venv/browser/node_modules/axe-core/axe.min.js $(BIN)/pytest -m browser tests/browser

test-spark: .venv/dev dist ## test the Spark engine on a cluster of two workers; needs Java 17 or newer
	$(BIN)/pytest -m spark

test-readers: .venv/dev ## test that other engines read lakes; installs them on demand
	$(BIN)/pytest -m readers

mutants: .venv/dev ## make deliberate mistakes, and see whether the tests notice (20 minutes)
	$(BIN)/python tools/mutants.py $(if $(SINCE),--since $(SINCE))

lint: .venv/dev ## check formatting, lint and types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: .venv/dev ## format the code and fix what can be fixed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: .venv/dev ## regenerate the generated docs and the output shown in them
	$(BIN)/python tools/translations.py
	$(BIN)/python tools/dictionary.py
	$(BIN)/python tools/cli_reference.py
	$(BIN)/python tools/decisions.py
	$(BIN)/python tools/plans.py
	$(BIN)/python tools/examples.py
	$(BIN)/python tools/notebooks.py
	$(BIN)/python tools/transcripts.py

pictures: .venv/browser ## make the pictures of the README and the docs, from the sample lake
	$(BIN)/python tools/pictures.py

docs-check: .venv/dev ## run all commands that the docs show, and compare what they print
	$(BIN)/pytest -m transcripts

lock: $(UV) ## refresh uv.lock and the requirements files after a change of pyproject.toml
	$(UV) lock
	$(UV) export $(EXPORT) $(FOR_PEOPLE) --output-file requirements.txt
	$(UV) export $(EXPORT) --prune pyarrow --prune ta-lib --output-file images/extractor/requirements.txt
	$(UV) export $(EXPORT) --extra spark --extra report --output-file images/transformer/requirements.txt

# a server, and what needs another checkout or other libraries
NOT_ALONE := $(addprefix benchmarks/,s3_stub.py compare.py peers.py writer.py)

bench: .venv/dev ## measure the figures of docs/performance.md (several minutes)
	for benchmark in $(filter-out $(NOT_ALONE),$(wildcard benchmarks/*.py)); do $(BIN)/python $$benchmark; done

clean: ## remove the environment, the caches, dist/ and the local lake
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist lake

##@ Containers
images: ## build the container images
	docker build --target extractor --tag tickerlake-extractor .
	docker build --target transformer --tag tickerlake-transformer .
	docker build --target starter --tag tickerlake-starter .

up: images ## run the Compose chain with live data
	$(COMPOSE) up

down: ## stop and remove everything that Compose started
	$(COMPOSE) --profile offline --profile events down --volumes

e2e: .venv/dev images ## the offline Compose chain must make the same `daily` as a local run
	PATH="$(CURDIR)/$(BIN):$$PATH" COMPOSE="$(COMPOSE)" $(BIN)/pytest -m docker tests/e2e/test_compose.py

integration: .venv/dev images ## test with containers: S3, events, kills (several minutes)
	TICKERLAKE_REQUIRE_DOCKER=1 COMPOSE="$(COMPOSE)" $(BIN)/pytest -m docker tests/integration

##@ AWS
infra-check: .venv/dev infra-test ## Terraform: infra-test, checkov, and parliament on the policies
	$(UV) tool run checkov@$(CHECKOV_VERSION) --directory infra --framework terraform --quiet --compact --skip-download
	$(BIN)/pytest tests/infra

infra-test: ## Terraform: formatting, validity, tests of the root and the modules
	terraform fmt -check -recursive infra
	infra/init infra -backend=false
	terraform -chdir=infra validate
	terraform -chdir=infra test

e2e-cloud: .venv/dev dist images ## the Terraform deployment, on an emulator of AWS, must equal a local run
	$(BIN)/pytest -s -m docker tests/e2e/cloud

##@ Release
dist: $(UV) ## build dist/: what the Glue jobs install, their scripts, and the Lambda's zip
	rm -rf dist && mkdir dist
	$(BIN)/python images/glue/package.py dist
	cp jobs/glue_*_job.py dist
	$(BIN)/python images/starter/package.py dist/starter.zip

# ---- the environments

$(UV):
	@echo "Creating the environment in .venv ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/run: $(UV) pyproject.toml uv.lock
	@echo "Installing tickerlake and its dependencies (about 50 packages) into .venv ..."
	@$(UV) sync --quiet --locked --no-dev --inexact $(FOR_PEOPLE)
	@touch $@

.venv/dev: $(UV) pyproject.toml uv.lock
	@echo "Installing tickerlake and what its tests need (about 120 packages) into .venv ..."
	@$(UV) sync --quiet --locked --inexact --extra spark --extra mcp $(FOR_PEOPLE)
	@touch $@ .venv/run

.venv/browser: .venv/dev
	@echo "Installing what drives a browser into .venv ..."
	@$(UV) sync --quiet --locked --inexact --extra spark --extra mcp $(FOR_PEOPLE) --group browser
	@mkdir -p $@
	@if command -v npm >/dev/null; then npm install --silent --no-save --no-audit --no-fund --prefix $@ axe-core@$(AXE_VERSION); fi
	@touch $@
