# `make up` brings the platform and the dashboard up; `make test` runs every test. Both install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/pip install --quiet --quiet --constraint constraints.txt
TEST_OUTPUT := test-output

.PHONY: help up test test-long test-mutations bench lint clean constraints

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 16

up: $(VENV)/.up ## Start the embedded platform with demo tasks and the dashboard
	@exec $(BIN)/retry-toolkit up

test: $(VENV)/.test ## Lint, type-check and run every test, browser included
	@scripts/need-chromium
	@$(MAKE) --no-print-directory lint
	@$(BIN)/pytest --numprocesses 3 --dist loadfile

test-long: $(VENV)/.test ## The large storms: hours of kills, races and faults (STORM_SEED=... repeats one)
	@STORM_SIZE=long $(BIN)/pytest tests/faults

test-mutations: $(VENV)/.test ## Put safety bugs into copies of the source and see that the tests notice each
	@$(BIN)/python -m tests.mutations

bench: $(VENV)/.bench ## Measure every claim against its baseline and write docs/performance.md
	@$(BIN)/python -m benchmarks --write
	@$(BIN)/python -m benchmarks.page --write

lint: $(VENV)/.test ## Ruff, mypy --strict and the import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

clean: ## Remove the virtual environment, caches and test output (not your tasks)
	rm -rf $(VENV) $(TEST_OUTPUT) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/pip:
	@scripts/make-venv $(VENV)

$(VENV)/.up: $(VENV)/bin/pip pyproject.toml constraints.txt
	@echo 'Installing (once, a minute or two) ...'
	@$(PIP) --editable '.[server,dashboard]'
	@touch $@

$(VENV)/.test: $(VENV)/bin/pip pyproject.toml constraints.txt
	@echo 'Installing with test tools (once, a minute or two) ...'
	@$(PIP) --editable '.[server,dashboard,dev]'
	@touch $@ $(VENV)/.up

$(VENV)/.bench: $(VENV)/.test
	@$(PIP) --editable '.[server,dashboard,dev,bench]'
	@touch $@

constraints: ## Write constraints.txt anew from the current environment
	@$(BIN)/pip freeze --exclude-editable | grep -v ' @ ' > constraints.txt
