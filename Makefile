# The commands of the house. `make demo` and `make test` work on a fresh clone; nothing else has to be installed by hand.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_DATA ?= demo-data
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test coverage check bench evaluate test-vllm test-crash requirements clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# A stamp an environment: made again when the pins or the package's metadata change.
$(VENV)/.demo: requirements/demo.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r requirements/demo.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.demo
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.demo ## From nothing to cited answers: install, fetch models, load the examples, ask
	@$(BIN)/python examples/demo.py --data $(DEMO_DATA)

test: $(VENV)/.dev ## Every test that needs no outside service
	@$(BIN)/lastro models pull
	@$(PYTEST) -n $(WORKERS) --dist loadgroup -m "not vllm and not crash"

coverage: $(VENV)/.dev ## The same tests, and that 95 % of the branches ran, all of them where a mistake would leak or lie
	@mkdir -p reports
	@$(BIN)/lastro models pull
	@$(PYTEST) -q -n $(WORKERS) --dist loadgroup -m "not vllm and not crash" --cov --cov-report=term:skip-covered --cov-report=json:reports/coverage.json
	@$(BIN)/python tests/coverage_floor.py reports/coverage.json

check: $(VENV)/.dev ## Format, lint, types, import contracts, unit and architecture tests: under a minute
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/vulture
	@$(PYTEST) -q -n $(WORKERS) tests/architecture tests/unit

bench: $(VENV)/.dev ## Speed and memory, as tables and JSON in reports/
	@mkdir -p reports
	@$(BIN)/lastro models pull embedder
	@$(BIN)/python tests/bench/run_all.py --out reports

evaluate: $(VENV)/.dev ## Quality of what is found and answered, as tables and JSON in reports/
	@mkdir -p reports
	@$(BIN)/lastro models pull embedder
	@$(BIN)/python tests/evaluation/run_all.py --out reports

test-vllm: $(VENV)/.dev ## The adapter's contract and one whole trip against a real vLLM on the CPU (3 GB, some minutes)
	@$(BIN)/python tests/vllm/run.py

test-crash: $(VENV)/.dev ## kill -9 of every process in the tree during ingest, 20 rounds
	@$(PYTEST) -m crash -p no:cacheprovider tests/integration

requirements: ## Pin the requirement files anew (needs uv); no addresses are written
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements/base.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --extra llama --group build pyproject.toml -c requirements/base.txt -o requirements/demo.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --extra llama --group build --group dev pyproject.toml -c requirements/demo.txt -o requirements/dev.txt

clean: ## Remove what was built here, not the model cache
	@rm -rf $(VENV) $(DEMO_DATA) reports .pytest_cache .mypy_cache .ruff_cache .hypothesis
