# make env | demo | test | lint, each for STACK=modern (default) or STACK=classic. Every target sets up what it needs.
STACK ?= modern
PYTHON ?= python3
VENV := $(if $(filter classic,$(STACK)),.venv-classic,.venv)
RESULTS ?= results
# The classic stack runs the tests that are marked for it; the modern one runs all.
SELECTED := $(if $(filter classic,$(STACK)),-m compat,)

.PHONY: env demo test lint

env:
	@$(PYTHON) requirements/install.py --stack $(STACK)

demo: env
	@$(VENV)/bin/python projects/earth/tools/demo.py --out $(RESULTS)

# Two processes of one thread each; whole files together, for they share what is slow to make.
test: env
	@OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist loadfile $(SELECTED) tests

lint: env
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy xlearner_mm
