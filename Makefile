# The commands of the README. A fresh machine needs only Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SERVE_STAMP := $(VENV)/.serve.installed
DEV_STAMP := $(VENV)/.dev.installed
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.installed
RAY_VENV := .venv-ray
RAY_STAMP := $(RAY_VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help serve install ray test test-ray bench check audit format lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

serve: $(SERVE_STAMP) ## the service on 127.0.0.1:8000 with the shipped model
	$(BIN)/python -m app

install: $(DEV_STAMP) ## everything that training, tests and checks need, into .venv

ray: $(RAY_STAMP) ## everything that reading and training on Ray need, and their tests, into .venv-ray

test: $(DEV_STAMP) ## the whole test suite, training included; not what needs Ray
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --ignore tests/on_ray $(PYTEST_OPTIONS)

test-ray: $(RAY_STAMP) ## the tests of what runs on Ray, one after the other, each with clusters of its own
	$(RAY_VENV)/bin/python -m pytest tests/on_ray $(PYTEST_OPTIONS)

bench: $(DEV_STAMP) $(BENCH_STAMP) ## the side-by-side measurements, as tables and in runs/bench/bench.json
	$(BIN)/python -m benchmarks --json runs/bench/bench.json $(BENCH_OPTIONS)

check: $(DEV_STAMP) audit ## lint, format, types and known holes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: $(DEV_STAMP) ## look the service's requirements up among the known holes; tolerates being offline
	$(BIN)/python .ci/audit.py

format: $(DEV_STAMP) ## lay the code out and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEV_STAMP) ## resolve pyproject.toml anew into requirements/*.txt
	$(LOCK) pyproject.toml -o requirements/serve.txt
	$(LOCK) pyproject.toml --extra training -c requirements/serve.txt -o requirements/train.txt
	$(LOCK) pyproject.toml --extra tracing -c requirements/serve.txt -o requirements/tracing.txt
	$(LOCK) pyproject.toml --extra training --extra tracing --extra dev -c requirements/train.txt -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra training --extra tracing --extra dev --extra ray --extra ray-dev \
		-c requirements/serve.txt -o requirements/ray.txt
	$(LOCK) benchmarks/requirements.in --override benchmarks/overrides.txt -c requirements/serve.txt \
		-o requirements/bench.txt

LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate \
	--python-version 3.11 --custom-compile-command "make lock"

clean: ## remove what make made
	rm -rf $(VENV) $(BENCH_VENV) $(RAY_VENV) .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python >= 3.11 is needed; this is $$($(PYTHON) --version). Name another: make PYTHON=python3.13 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(SERVE_STAMP): requirements/serve.txt | $(BIN)/python
	@test -e $(DEV_STAMP) || echo "installing the service's requirements into $(VENV) …"
	@$(PIP) install --require-hashes -r $<
	@touch $@

$(DEV_STAMP): requirements/dev.txt | $(BIN)/python
	@echo "installing the requirements of service, training and tests into $(VENV) …"
	@$(PIP) install --require-hashes -r $<
	@touch $@ $(SERVE_STAMP)

$(RAY_STAMP): requirements/ray.txt | $(BIN)/python
	@echo "installing Ray and what its tests need into $(RAY_VENV) …"
	@$(BIN)/python -m venv $(RAY_VENV)
	@$(RAY_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

# Not what the packages ask for and do not need: see benchmarks/overrides.txt.
$(BENCH_STAMP): requirements/bench.txt | $(BIN)/python
	@echo "installing the peers of the benchmark into $(BENCH_VENV) …"
	@$(BIN)/python -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r $<
	@touch $@
