# Two commands do all on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help run test test-long test-peers fuzz check format demo bench proto pins clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/run.stamp: requirements/run.txt requirements/build.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/run.txt
	$(PIP) install --require-hashes -r requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

run: $(VENV)/run.stamp ## set up and serve on the embedded default (OTLP on 4317 and 4318)
	$(BIN)/audit-receiver serve

test: $(VENV)/dev.stamp ## set up and run the fast tests
	$(BIN)/python -m pytest -m "not long and not peers" -n 2

test-long: $(VENV)/dev.stamp ## the tests that take minutes
	$(BIN)/python -m pytest -m long

test-peers: $(VENV)/dev.stamp ## real Collectors and SDKs as senders, built from their registries (needs go, node, java)
	$(BIN)/python -m pytest -m peers -n 2 tests/peers

$(VENV)/fuzz.stamp: $(VENV)/dev.stamp requirements/fuzz.txt
	$(PIP) install --require-hashes -r requirements/fuzz.txt
	@touch $@

fuzz: $(VENV)/fuzz.stamp ## ten minutes of coverage-guided inputs (FUZZ_SECONDS=600)
	$(BIN)/python -m tests.fuzz --seconds $(or $(FUZZ_SECONDS),600)

check: $(VENV)/dev.stamp ## format, lint, types, import contracts, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/dev.stamp ## mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

demo: $(VENV)/dev.stamp ## real SDK telemetry through real transports, verified, tampered with, found
	$(BIN)/audit-receiver demo

bench: $(VENV)/dev.stamp ## figures with their ratio to the limit, in one run
	$(BIN)/python -m bench

proto: $(VENV)/dev.stamp ## regenerate audit_receiver/v1 from proto/
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. proto/audit_receiver/v1/receipt.proto proto/audit_receiver/v1/audit.proto

pins: ## refresh requirements/*.txt from pyproject.toml (needs uv; no addresses are written)
	tools/pins.sh

clean: ## remove what was built (never a ledger)
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
