# A newcomer needs make and Python 3.12 or 3.13, nothing else. Bare `make` lists the targets.

STACK ?= embedded
KILLS ?= 200
SOURCES := $(wildcard schemas functions gateway infra)
# The simulator and the local stacks are products of their own; their tests take half of the time.
UNIT := $(wildcard tests/schemas tests/functions tests/gateway/core tests/gateway/test_*.py tests/infra/test_*.py tests/test_*.py)
SIDE_BY_SIDE := $(wildcard tests/gateway/simulator tests/infra/bench tests/infra/clients tests/infra/local tests/simulation)
WHOLE := $(wildcard tests/clients tests/conformance tests/integration tests/system)

RUN := .venv/bin/python
PYTEST := $(RUN) -m pytest -q

# Our own modules shall have bytecode too, and no module of somebody else's shall shadow ours.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME
# PYTHON=/path/to/python3.13 names the interpreter; without it bin/find-python looks for one.
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup demo up check test setup-infra test-infra image-test plan test-clients test-kill bench mutants nightly lock clean

help: ## list the targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv from the locked requirements (every other target does it when needed)
	@bin/setup

demo: setup ## play one trading day: [STACK=embedded|emulators] [BARS=folder] [DAY=2019-12-20] [STRATEGY=mine]
	@$(RUN) -m infra.local demo --stack "$(STACK)" $(if $(BARS),--bars "$(BARS)") $(if $(DAY),--day "$(DAY)") $(if $(STRATEGY),--strategy "$(STRATEGY)")

up: setup ## keep the whole system running until Ctrl-C: [STACK=embedded|emulators]
	@$(RUN) -m infra.local up --stack "$(STACK)"

check: setup ## the fast loop: style, types, layers, and unit tests of all but the simulator and the local stacks
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy $(SOURCES) tests
	.venv/bin/lint-imports --no-logo
	$(PYTEST) -n auto --dist worksteal $(UNIT)

test: check ## everything: check, then all other tests
	$(if $(SIDE_BY_SIDE),$(PYTEST) -n auto --dist worksteal $(SIDE_BY_SIDE))
	$(if $(WHOLE),$(PYTEST) $(WHOLE))
	@$(MAKE) --no-print-directory test-infra

setup-infra: setup
	@{ bin/setup infra && bin/setup-google-provider; } || test -z "$$REQUIRE_INFRA"

test-infra: setup-infra ## what is deployed, checked offline: Terraform, images, pipelines, manifests, documents
	$(PYTEST) -n auto --dist worksteal $(wildcard tests/infra_offline)

image-test: setup ## build the images with buildah and run them, as root on Debian, some 3 minutes
	$(RUN) -m infra.images
	REQUIRE_IMAGES=1 $(PYTEST) tests/images

plan: setup ## what Terraform would change in your project: MODE=paper|live, with your credentials
	@bin/plan "$(MODE)"

test-clients: setup ## one script against the simulator, played by five clients that no one here wrote
	REQUIRE_CLIENTS=1 $(PYTEST) tests/clients

test-kill: setup ## SIGKILL of the real gateway over Google's emulators, some 16 minutes: [KILLS=200]
	KILLS="$(KILLS)" $(PYTEST) -rP tests/integration/test_kill_and_restart.py

bench: setup ## measure, as ratios in one run
	$(RUN) -m infra.bench

mutants: setup ## change the core a little and see that a test fails: [MODULES="netting orders"]
	@bin/setup mutants
	$(RUN) -m infra.mutants $(MODULES)

nightly: setup-infra ## the long version: many more hypothesis examples, then bench, then mutants
	HYPOTHESIS_PROFILE=nightly REQUIRE_CLIENTS=1 KILLS="$(KILLS)" $(PYTEST) tests
	$(RUN) -m infra.bench
	$(MAKE) mutants
	$(MAKE) image-test

lock: ## write requirements/*.txt anew from pyproject.toml: [UPGRADE=1]
	@python=$$(bin/find-python) && $$python -m venv .venv-lock
	@.venv-lock/bin/python -m pip install -qq --disable-pip-version-check 'uv>=0.13,<0.14'
	bin/lock .venv-lock/bin/uv $(if $(UPGRADE),--upgrade)
	@rm -rf .venv-lock

clean: ## remove what the other targets made
	rm -rf .google-provider .local/images .venv .venv-* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
