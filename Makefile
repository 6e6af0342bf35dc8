# Every target does its own set-up: `make demo` and `make test` work from a fresh clone with Python 3.11 or later.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export HF_HUB_OFFLINE ?= 1
export HF_HUB_DISABLE_TELEMETRY ?= 1
export TOKENIZERS_PARALLELISM ?= false

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-unit test-integration test-slow lint typecheck format golden components bench wheel constraints ci clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP)  ## make .venv with the exact versions of constraints.txt

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1), but Python 3.11 or later is needed;" \
	       "name one with 'make PYTHON=/path/to/python3.11 ...'" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

demo: $(STAMP)  ## run the whole pipeline on a small synthetic task, under 6 minutes on 2 cores
	$(BIN)/sparse-pipelines demo

test: lint typecheck test-unit test-integration  ## lint, types, unit tests and small whole flows, under 4 minutes on 2 cores

test-unit: $(STAMP)  ## unit tests only
	$(BIN)/python -m pytest -q -n auto -m 'not slow' tests/unit tests/architecture tests/pipelines components

test-integration: $(STAMP)  ## small whole flows on tiny models
	$(BIN)/python -m pytest -q -n auto -m 'not slow' tests/packaging tests/integration

test-slow: $(STAMP)  ## every task through all steps, the demo, the built wheel, generated recipes
	$(BIN)/python -m pytest -q -n auto --dist loadgroup -m slow tests components

lint: $(STAMP)  ## ruff: style, imports, docstrings, format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(STAMP)  ## mypy
	$(BIN)/mypy

format: $(STAMP)  ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(STAMP)  ## rewrite the golden files; look at the difference before you commit it
	GOLDEN_UPDATE=1 $(BIN)/python -m pytest -q tests/unit tests/pipelines

components: $(STAMP)  ## rewrite the components' code and README files from the steps
	$(BIN)/python -m sparse_pipelines.components.generate
	$(BIN)/ruff format components

bench: $(STAMP)  ## list the speed, memory and quality runs behind docs/results.md
	@ls benchmarks/*.py && echo "run one with: $(BIN)/python benchmarks/NAME.py --help"

wheel: $(STAMP)  ## build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist .

constraints:  ## resolve all dependencies anew and rewrite constraints.txt
	rm -rf $(VENV)-constraints && $(PYTHON) -m venv $(VENV)-constraints
	$(VENV)-constraints/bin/python -m pip install --quiet '.[all,dev]'
	{ sed '/^[^#]/,$$d' constraints.txt; \
	  $(VENV)-constraints/bin/python -m pip freeze --exclude sparse-pipelines | sed '/^torch==/s/+.*//'; } > constraints.new
	mv constraints.new constraints.txt && rm -rf $(VENV)-constraints

ci: test test-slow  ## what .ci/run calls

clean:  ## remove what the targets made, the demo's output included
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
