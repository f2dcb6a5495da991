# `make demo` and `make test` are all that a new machine needs; everything they make lies in .venv, node_modules and build.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.mlwidgets-installed
BENCH_VENV ?= .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.mlwidgets-installed
BUILT := mlwidgets/labextension/install.json
INSTALLED := $(VENV)/share/jupyter/labextensions/mlwidgets
VIEW_SOURCES := $(shell find labextension -type f -not -path 'labextension/lib/*' 2>/dev/null)
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
PYTHON ?= $(shell for p in $(PYTHONS); do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTEST_ARGS ?=
# Processes that share the tests; many of them wait for something most of the time.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$(( n < 3 ? 3 : n > 4 ? 4 : n )))
BENCH_ARGS ?=
N ?= 200

.PHONY: help demo test test-views torture lint lint-python lint-views lab bench format clean

help:
	@echo "make demo    train the example notebook in the background, show its runs, write an HTML page"
	@echo "make test    lint and all tests (PYTEST_ARGS='-m unit' for a part, JOBS=0 for one process)"
	@echo "make torture kill runs at random moments and check every law (N=1000 for so many rounds)"
	@echo "make lab     JupyterLab on the example notebooks"
	@echo "make lint    ruff, mypy, eslint, tsc"
	@echo "make bench   mlwidgets beside other trackers (BENCH_ARGS='--quick')"
	@echo "make format  let ruff and prettier rewrite the sources"
	@echo "make clean   remove .venv, node_modules and everything built"

# torch goes first and alone: the project's own requirements then find it and leave its build (CPU or CUDA) as it is.
$(STAMP): pyproject.toml constraints.txt package.json package-lock.json build_views.py
	@if [ -z "$(PYTHON)" ]; then echo "mlwidgets needs Python 3.11 or newer: none of '$(PYTHONS)' on PATH is. Install one, or name it: make PYTHON=/path/to/python3 ..." >&2; exit 1; fi
	@if ! command -v node >/dev/null || ! command -v npm >/dev/null; then echo "mlwidgets builds its views with node 20.19 or newer and npm, which are not on PATH. Install node, then run make again." >&2; exit 1; fi
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt torch
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

# The peers bring half of the Python world along: they get an environment of their own.
$(BENCH_STAMP): benchmarks/requirements.txt $(STAMP)
	[ -x $(BENCH_VENV)/bin/python ] || $(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet -c constraints.txt torch
	$(BENCH_VENV)/bin/python -m pip install --quiet -c constraints.txt -e . -r benchmarks/requirements.txt
	@touch $(BENCH_STAMP)

# The editable install has built the views once; this follows changes of their sources. JupyterLab has a copy.
$(BUILT): $(STAMP) $(VIEW_SOURCES)
	npm run --silent build
	rm -rf $(INSTALLED)
	mkdir -p $(dir $(INSTALLED))
	cp -R mlwidgets/labextension $(INSTALLED)

demo: $(STAMP) $(BUILT)
	$(BIN)/python notebooks/demo.py

# Python's tools and node's have one process each.
test: $(STAMP) $(BUILT)
	$(MAKE) --jobs=2 lint-python test-views
	$(BIN)/python -m pytest -n $(JOBS) --no-loadscope-reorder $(PYTEST_ARGS)

torture: $(STAMP)
	$(BIN)/python -m tests.torture --rounds $(N)

lint: lint-python lint-views

lint-python: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --platform linux
	$(BIN)/mypy --platform darwin

lint-views: $(BUILT)
	npm run lint
	npm run check

test-views: lint-views
	npm test

lab: $(STAMP) $(BUILT)
	$(BIN)/jupyter lab notebooks

bench: $(BENCH_STAMP) $(BUILT)
	$(BENCH_VENV)/bin/python -m benchmarks $(BENCH_ARGS)

format: $(STAMP)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(BENCH_VENV) node_modules build dist mlwidgets/labextension labextension/lib mlwidgets/views/static/run.* mlwidgets/server/static/panel.*
