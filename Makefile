# The only thing to learn. `make run` and `make test` need nothing but python3 (3.11 or newer).
PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
BOOTSTRAP := $(PYTHON) tools/bootstrap.py
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup dev run test check lint types imports format contracts bench faults autobahn llm lock clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## build .venv from the runtime lock (idempotent)
	@$(BOOTSTRAP) runtime

dev: ## build .venv with the development tools too
	@$(BOOTSTRAP) development

run: setup ## start the gateway on http://127.0.0.1:8000 (PORT=8123 picks another)
	@exec $(BIN)/portico serve --port $(PORT) --demo

test: dev ## run the whole test suite, in one process more than there are cores: many tests wait
	@$(BIN)/python -m pytest -n $$($(PYTHON) -c "import os; print(min(4, os.cpu_count() + 1))") --dist worksteal

check: lint types imports contracts-check ## lint, types, import contracts, API contracts

lint: dev ## ruff, rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: dev ## mypy, strict
	@$(BIN)/mypy

imports: dev ## the direction of imports
	@$(BIN)/lint-imports

format: dev ## rewrite the code as ruff formats it
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

contracts: setup ## write the OpenAPI and AsyncAPI documents and the GraphQL schema to docs/contracts
	@$(BIN)/portico contracts docs/contracts

.PHONY: contracts-check
contracts-check: dev
	@$(BIN)/portico contracts --check docs/contracts

bench: dev ## measure speed beside other programs (docs/performance.md)
	@$(BIN)/python -m benchmarks

faults: dev ## kill, freeze and cut off everything under load (docs/faults.md)
	@$(BIN)/python -m tests.faults

autobahn: dev ## run the Autobahn cases of WebSockets (docs/conformance/websocket.md)
	@$(BIN)/python -m tests.conformance.autobahn

llm: dev ## ask a real model on this machine through our client (docs/models.md)
	@$(BIN)/python -m tests.llm

lock: dev ## renew the locks from pyproject.toml
	@$(BOOTSTRAP) lock

clean: ## remove .venv and caches (never var/, your data)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
