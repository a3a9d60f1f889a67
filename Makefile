# One command for each intent; CI runs the same ones. `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
STAMP := $(VENV)/.stamp
# Most tests wait for clocks, servers and disks: more of them than there are cores can run at once.
PARALLEL ?= 4
# Arguments such as PYTEST_ADDOPTS may leave nothing that runs alone: status 5.
SIDE_BY_SIDE := $(BIN)/pytest -n $(PARALLEL) --dist worksteal -m "not alone"
ALONE := $(BIN)/pytest -m alone
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Debian has `venv` in a package of its own, and without it makes half a .venv.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null \
		|| { echo "there is no $(PYTHON); on Debian: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "alertgate needs Python 3.11 or newer; name one: make PYTHON=python3.13 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) has no venv; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# What running needs. What builds alertgate is removed again: it isn't needed afterwards.
$(RUNS): requirements/base.txt requirements/build.txt pyproject.toml | $(BIN)/pip
	$(INSTALL) --require-hashes -r requirements/base.txt
	@rm -rf $(VENV)/build
	$(INSTALL) --require-hashes --target $(VENV)/build -r requirements/build.txt
	PYTHONPATH=$(VENV)/build $(INSTALL) --no-deps --no-build-isolation -e .
	@rm -rf $(VENV)/build
	@touch $@

# The rest: what tests, checks and benchmarks need.
$(STAMP): $(RUNS) requirements/dev.txt
	$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Set up .venv with the locked dependencies, for tests and checks too

.PHONY: run
run: $(RUNS) ## Serve on 127.0.0.1:8000; writes a .env with fresh secrets if there is none
	@$(BIN)/alertgate init --if-missing
	@$(BIN)/alertgate serve --first-steps

.PHONY: test
test: $(STAMP) ## Run every test, on both databases
	$(SIDE_BY_SIDE)
	$(ALONE) || [ $$? -eq 5 ]

.PHONY: test-313
test-313: ## Run every test on Debian trixie's Python 3.13; needs root on Debian
	tools/on-trixie make test

.PHONY: check
check: lint test ## Format, lint, types, import contracts and tests

.PHONY: lint
lint: $(STAMP) ## All of that but the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Apart from the checks, because measuring takes a quarter of the tests' time.
.PHONY: coverage
coverage: $(STAMP) ## Run the tests, and say which lines and branches they reach
	$(SIDE_BY_SIDE) --cov --cov-report=
	$(ALONE) --cov --cov-append --cov-report=term:skip-covered || [ $$? -eq 5 ]

.PHONY: torture
torture: $(STAMP) ## Inject faults into a loaded service; at most 20 minutes (docs/reliability.md)
	$(BIN)/python -m torture

$(VENV)/bench/.stamp: requirements/bench.txt
	$(PYTHON) -m venv $(VENV)/bench
	$(VENV)/bench/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

.PHONY: bench
bench: $(STAMP) $(VENV)/bench/.stamp ## Benchmark against the alternatives; at most 15 minutes (docs/benchmarks.md)
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
