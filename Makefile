# The few verbs of this project; `make help` lists them. .ci/run calls these and nothing else.
# More arguments for a tool: make test ARGS="tests/data -x"

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ARGS ?=

# A process that a test starts reads compiled modules instead of compiling them each time.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test slow check fmt bench

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv and install attn and its tools into it, in the tested versions

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "attn needs Python 3.11 or later; name one with make PYTHON=..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,cluster]'
	@touch $@

demo: setup ## translate two sentences with a shipped model, and show its attention
	$(BIN)/attn translate "I love you" "Look it up." --align
	$(BIN)/attn align "I love you" "Je t'aime"

test: setup ## the tests, in a few minutes; a process a core, of one thread
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

slow: setup ## the tests that take long: real trainings, whole products, fuzzers (atheris)
	$(BIN)/python -m pytest -o addopts="-q --strict-markers" --hypothesis-profile many \
		$(or $(ARGS),-m "slow or hypothesis")

check: setup ## formatting, lint and types, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fmt: setup ## format, and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## every benchmark in benchmarks/, one after another (some train for hours)
	@for file in benchmarks/*.py; do \
		echo "$$file"; $(BIN)/python "$$file" $(ARGS) || exit 1; \
	done
