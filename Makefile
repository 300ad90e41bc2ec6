# Needs Python 3.11 or later with pip, and make. Everything is installed into .venv in this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_OPTIONS ?=
# Processes of the fast suite; a file of tests stays in one, and each has one thread of its own.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help venv peers demo test test-all test-slow lint style types docs benchmark-env benchmarks clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(READY) ## build .venv with all extras and the tools of development

# Debian splits ensurepip off Python; there, pip installs itself into the environment.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "cislens needs Python 3.11 or later, but $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
	       "name a later one, as in make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	@echo "installing cislens with all extras into $(VENV); this takes some minutes the first time"
	$(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY) ## take the tour on the bundled model; ends with the path of a page
	$(BIN)/cislens demo

test: $(READY) ## the fast suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile $(PYTEST_OPTIONS)

# bpnet-lite asks for tools that train models and must be compiled; the network, which alone is compared, needs these.
peers: $(READY) ## install what the slow suite compares with
	@$(BIN)/python -c 'import bpnetlite' 2>/dev/null || { \
	  $(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt tangermeme && \
	  $(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt --no-deps bpnet-lite; }

test-slow: $(READY) ## what the fast suite leaves out
	$(BIN)/python -m pytest -m slow $(PYTEST_OPTIONS)

test-all: peers ## both suites
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

lint: style types ## linters, formatting and both type checkers

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy
	$(BIN)/basedpyright

docs: $(READY) ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

benchmark-env: $(READY)
	$(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt --editable '.[benchmark]'

benchmarks: benchmark-env ## measure beside peers; needs CISLENS_REAL_DATA
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/inspect_time.py
	$(BIN)/python benchmarks/predict.py torch
	$(BIN)/python benchmarks/predict.py keras
	$(BIN)/python benchmarks/predict.py onnx
	$(BIN)/python benchmarks/ism.py
	$(BIN)/python benchmarks/deeplift.py
	$(BIN)/python benchmarks/simulate.py
	$(BIN)/python benchmarks/squid.py fit
	$(BIN)/python benchmarks/squid.py fit --variants 100000
	$(BIN)/python benchmarks/squid.py whole
	$(BIN)/python benchmarks/squid.py pairwise
	$(BIN)/python benchmarks/variants.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/report_memory.py
	$(BIN)/python benchmarks/table.py

clean: ## remove everything that was built, .venv too
	rm -rf $(VENV) build dist site cislens-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
