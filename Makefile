# make demo    learn prompts for the embedded data and draw what they do
# make test    lint and run all tests
# make test-long  the tests of minutes, which `make test` leaves out
# make benchmark  the paper's main experiment in small, in half an hour
# make docs    build the documentation, in build/site
# make lint    only lint            make format   put the code in order
# make venv    set up .venv, which the others do when needed
# PYTHON=python3.12 chooses the Python that .venv is made with.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-long benchmark docs lint format venv

demo: $(STAMP)
	$(BIN)/python tools/demo.py

# By file, so that what a file's tests share is made once; the long files, which
# come first by name, first
test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder \
	    -m 'not long'

test-long: $(STAMP)
	$(BIN)/python -m pytest -m long

# Goes on after an interruption; see configs/sweeps/emoji.py
FEATURES := $(BIN)/python tools/cache_features.py \
	configs/benchmark/emoji_features.py
benchmark: $(STAMP)
	$(FEATURES)
	for style in fxemoji high_contrast streamline; do \
	    $(FEATURES) --cfg-options \
	        test_dataloader.dataset.path=data/features/emoji/$$style \
	        test_dataloader.dataset.dataset.split=test_$$style || exit 1; \
	done
	$(BIN)/python tools/sweep.py configs/sweeps/emoji.py \
	    --workers 2 --runs-per-job 6 --work-dir work_dirs/benchmark
	$(BIN)/python tools/report.py work_dirs/benchmark

docs: $(STAMP)
	$(BIN)/mkdocs build --strict

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
