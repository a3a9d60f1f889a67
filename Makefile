# One command for each intent; CI runs the same ones. `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "alertgate needs Python 3.11 or newer; name one: make PYTHON=python3.13 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Set up .venv with the locked dependencies

.PHONY: run
run: $(STAMP) ## Serve on 127.0.0.1:8000; writes a .env with fresh secrets if there is none
	@$(BIN)/alertgate init --if-missing
	@$(BIN)/alertgate serve --first-steps

.PHONY: test
test: $(STAMP) ## Run every test, on both databases
	$(BIN)/pytest

.PHONY: test-313
test-313: ## Run every test on Debian trixie's Python 3.13; needs root on Debian
	tools/on-trixie make test

.PHONY: check
check: $(STAMP) ## Format, lint, types, import contracts and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --cov --cov-report=term:skip-covered

.PHONY: torture
torture: $(STAMP) ## Inject faults into a loaded service; at most 20 minutes (docs/reliability.md)
	$(BIN)/python -m torture

$(VENV)/bench/.stamp: requirements/bench.txt
	$(PYTHON) -m venv $(VENV)/bench
	$(VENV)/bench/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

.PHONY: bench
bench: $(STAMP) $(VENV)/bench/.stamp ## Benchmark against the alternatives; at most 10 minutes (docs/benchmarks.md)
	$(BIN)/python -m bench

.PHONY: deploy-test
deploy-test: $(STAMP) ## Build the image and test compose.yaml with real parts; needs root on Debian
	deploy/test.sh

.PHONY: format
format: $(STAMP) ## Format, and apply the linter's fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lock
lock: $(STAMP) ## Lock the newest dependencies that pyproject.toml allows, with hashes
	tools/lock

.PHONY: clean
clean: ## Remove .venv and the caches; keeps .env and data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
