# make demo    learn prompts for the embedded data and draw what they do
# make test    lint and run all tests
# make lint    only lint            make format   put the code in order
# make venv    set up .venv, which the others do when needed
# PYTHON=python3.12 chooses the Python that .venv is made with.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test lint format venv

demo: $(STAMP)
	$(BIN)/python tools/demo.py

# By file, so that what a file's tests share is made once
test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

venv: $(STAMP)

# Made anew when what is required may have changed
$(STAMP): setup.py pyproject.toml mmcoop/version.py
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --editable '.[test]'
	touch $@
