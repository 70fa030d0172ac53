# Needs only Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python .ci/install.py
SERVE_STAMP := $(VENV)/.serve.installed
DEV_STAMP := $(VENV)/.dev.installed
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.installed
RAY_STAMP := $(VENV)/.ray.installed

.DEFAULT_GOAL := help
VERSION_NOW = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' app/__init__.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null)
IMAGE ?= captcha-reader

.PHONY: help serve install ray test test-full test-ray test-wheel bench check audit wheels runtimes format lock \
	version release sbom sign image clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

serve: $(SERVE_STAMP) ## run the service on 127.0.0.1:8000 with the shipped model
	$(BIN)/python -m app

install: $(DEV_STAMP) ## install everything for training, tests and checks into .venv

ray: $(RAY_STAMP) ## install the same and Ray into .venv

test: $(DEV_STAMP) ## run the test suite, trainings included, without slow tests and Ray
	$(PYTEST) -m "not slow and not npm" --ignore tests/on_ray $(PYTEST_OPTIONS)

test-full: $(DEV_STAMP) ## run all tests: also long trainings, the wheel, property tests with all examples
	$(PYTEST) -m "not npm" --hypothesis-profile full --ignore tests/on_ray $(PYTEST_OPTIONS)

test-ray: $(RAY_STAMP) ## run the tests that need Ray, one at a time, each with its own cluster
	$(BIN)/python -m pytest tests/on_ray $(PYTEST_OPTIONS)

PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-wheel: $(DEV_STAMP) ## test the wheel in an empty environment; WHEEL_PYTHON=python3.14 selects the Python
	$(BIN)/python -m pytest tests/end_to_end/test_wheel.py $(PYTEST_OPTIONS)

bench: $(DEV_STAMP) $(BENCH_STAMP) ## run the benchmarks; print tables and write runs/bench/bench.json
	$(BIN)/python -m benchmarks --json runs/bench/bench.json $(BENCH_OPTIONS)

check: $(DEV_STAMP) audit wheels ## check lint, format, types, known vulnerabilities, wheels for all systems
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: $(DEV_STAMP) ## check the service's requirements for known vulnerabilities; tolerates being offline
	$(BIN)/python .ci/audit.py

wheels: $(DEV_STAMP) ## check that the locked requirements have wheels for all systems; tolerates being offline
	$(BIN)/python .ci/wheels.py

runtimes: $(DEV_STAMP) ## run the shipped models in the oldest supported ONNX Runtime, OpenVINO and a browser; needs pip and npm indexes
	$(BIN)/python -m benchmarks.runtimes
	$(BIN)/python -m pytest -m npm tests/end_to_end/browser $(PYTEST_OPTIONS)

format: $(DEV_STAMP) ## format the code and apply the linter's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEV_STAMP) ## resolve pyproject.toml into requirements/*.txt
	$(LOCK) pyproject.toml -o requirements/serve.txt
	$(LOCK) pyproject.toml --extra training --extra tracing --extra dev --extra ray --extra ray-dev \
		-c requirements/serve.txt -o requirements/ray.txt
	$(LOCK) pyproject.toml --extra training -c requirements/ray.txt -o requirements/train.txt
	$(LOCK) pyproject.toml --extra tracing -c requirements/ray.txt -o requirements/tracing.txt
	$(LOCK) pyproject.toml --extra training --extra tracing --extra dev -c requirements/ray.txt -o requirements/dev.txt
	$(LOCK) benchmarks/requirements.in --override benchmarks/overrides.txt -c requirements/serve.txt \
		-o requirements/bench.txt

LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate \
	--python-version 3.11 --custom-compile-command "make lock"

version: $(DEV_STAMP) ## VERSION=1.2.3: set the version and move the unreleased changes under it
	$(BIN)/python .ci/release.py version "$(VERSION)"
	$(BIN)/python -m docs.generate

release: $(DEV_STAMP) ## build and check sdist, wheel, notes, SBOM and SHA256SUMS of the last commit in dist/
	$(BIN)/python .ci/release.py build
	$(BIN)/python -m twine check --strict dist/*.whl dist/*.tar.gz
	WHEEL=$$(ls dist/*.whl) $(MAKE) test-wheel
	$(MAKE) sbom
	$(BIN)/python .ci/release.py sums

sbom: $(DEV_STAMP) ## write the CycloneDX SBOMs of service and training to dist/
	@mkdir -p dist
	for name in serve train; do $(BIN)/cyclonedx-py requirements --output-reproducible --output-format JSON \
		--output-file dist/sbom-$$name.cdx.json requirements/$$name.txt || exit 1; done

sign: ## sign dist/SHA256SUMS with your OIDC identity; needs cosign
	cosign sign-blob --yes --bundle dist/SHA256SUMS.sigstore.json dist/SHA256SUMS

# Several platforms need BuildKit and QEMU; BuildKit adds SBOM and provenance.
image: ## build the image for this machine; PLATFORMS=linux/amd64,linux/arm64 writes both to dist/image.tar
	@mkdir -p dist
ifdef PLATFORMS
	docker buildx build --platform $(PLATFORMS) --sbom=true --provenance=mode=max $(IMAGE_OPTIONS) \
		--output type=oci,dest=dist/image.tar .
else
	docker build $(IMAGE_OPTIONS) .
endif

IMAGE_OPTIONS = --tag $(IMAGE):$(VERSION_NOW) --build-arg VERSION=$(VERSION_NOW) --build-arg REVISION=$(REVISION)

clean: ## remove environments, caches and dist/
	rm -rf $(VENV) $(BENCH_VENV) dist .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python >= 3.11 is needed; this is $$($(PYTHON) --version). Select another: make PYTHON=python3.13 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(SERVE_STAMP): requirements/serve.txt | $(BIN)/python
	@$(INSTALL) $< "the service's requirements (0.4 GB)"
	@touch $@

$(DEV_STAMP): requirements/dev.txt | $(BIN)/python
	@$(INSTALL) $< "the requirements of service, training and tests (2.7 GB, much of it TensorFlow)"
	@touch $@ $(SERVE_STAMP)

$(RAY_STAMP): requirements/ray.txt | $(BIN)/python
	@$(INSTALL) $< "the requirements of service, training, Ray and tests (3.1 GB, much of it TensorFlow)"
	@touch $@ $(DEV_STAMP) $(SERVE_STAMP)

# benchmarks/overrides.txt drops dependencies that the packages declare and do not need.
$(BENCH_STAMP): requirements/bench.txt | $(BIN)/python
	@echo "installing the compared packages into $(BENCH_VENV) …"
	@$(BIN)/python -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r $<
	@touch $@
