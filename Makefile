# What one does with this repository; `make` alone lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup engines demo test lint types imports docs tests property fuzz engine-tests wheel bench imports-cost requirements format clean distclean

# The tools of .venv first, whoever calls; and the daemon that tools/setup-engines.sh may have started.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
NOX = nox --no-venv --error-on-external-run

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------- for everybody

demo:  ## sets up what is needed, then locks, compiles and verifies specs/quickstart (ENGINES=no: with those that are there)
	@ENGINES=$(ENGINES) tools/demo.sh

setup:  ## .venv with reproc and its developers' tools, exact versions with hashes
	@tools/setup-python.sh dev

engines:  ## Docker and Apptainer, as root on Debian or Ubuntu; says what it cannot do
	@tools/setup-engines.sh

# ------------------------------------------------------------------------------------- for developers

test: setup  ## all checks and all tests; engine tests run where the engines are
	@tools/test.sh

lint types imports tests property wheel: setup
	@$(NOX) -s $@

docs: setup  ## the pages: the reference anew from the schema, specs checked, links followed
	@$(NOX) -s reference docs

lint:  ## ruff, shellcheck
types:  ## mypy --strict
imports:  ## the floors of ARCHITECTURE.md
tests:  ## the quick tests
property:  ## the laws, with hypothesis
wheel:  ## the wheel: the same bytes twice, complete, works when installed alone

fuzz: setup  ## ten million bytes of damaged specs, guided by coverage (Linux, x86-64)
	@python -m pip install --quiet --require-hashes -r requirements/fuzz.txt
	@python tests/fuzz/fuzz_spec.py

engine-tests: setup  ## the tests that build and run images
	@. tools/engines-env.sh && $(NOX) -s engines

bench: setup  ## a cold compile against hpccm and neurodocker, side by side
	@python benchmarks/compile_vs_peers.py
	@python benchmarks/imports.py

requirements: setup  ## writes requirements/*.txt anew from pyproject.toml (UPGRADE=1: newest versions)
	@tools/requirements.sh $(if $(UPGRADE),--upgrade)

format: setup  ## lays out the Python code
	@ruff check --fix . && ruff format .

clean:  ## deletes what tools left in the checkout, not .venv
	@rm -rf dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .nox grammar/reproc_grammar/_standalone.py backends/reproc_backends/*/_*_j2.py
	@find src grammar backends tests benchmarks tools -name __pycache__ -prune -exec rm -rf {} +

distclean: clean  ## deletes .venv as well
	@rm -rf .venv
