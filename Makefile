# Greenroom: `make run` sets everything up and starts; `make test` runs everything. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Some containers forbid Python to keep what it compiled; then every start compiles it all anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PY := $(VENV)/bin/python
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
BENCH_VENV := .venv-bench
BENCH_READY := $(BENCH_VENV)/.ready
WEB_READY := web/node_modules/.ready
PAGE := src/greenroom/page/index.html
STOCK := web/apps/stock/dist/index.html
STOCK_SOURCES := $(shell find web/apps/stock -type f -not -path '*/dist/*' 2>/dev/null)
VAPI := web/apps/vapi/dist/index.html
VAPI_SOURCES := $(shell find web/apps/vapi -type f -not -path '*/dist/*' 2>/dev/null)
ONCE := web/apps/once/dist/index.html
ONCE_SOURCES := $(shell find web/apps/once web/packages/client/src -type f -not -path '*/dist/*' 2>/dev/null)
TOGETHER := web/apps/together/dist/index.html
TOGETHER_SOURCES := $(shell find web/apps/together web/packages/client/src -type f -not -path '*/dist/*' 2>/dev/null)
FLASHCARDS := examples/flashcards/page
FLASHCARDS_READY := $(FLASHCARDS)/node_modules/.ready
FLASHCARDS_PAGE := $(FLASHCARDS)/dist/index.html
FLASHCARDS_SOURCES := $(shell find $(FLASHCARDS) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
NEXTJS := examples/nextjs
NEXTJS_READY := $(NEXTJS)/node_modules/.ready
NEXTJS_BUILD := $(NEXTJS)/.next/BUILD_ID
NEXTJS_SOURCES := $(shell find $(NEXTJS) -type f -not -path '*/node_modules/*' -not -path '*/.next/*' -not -name next-env.d.ts 2>/dev/null)
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path 'web/apps/stock/*' -not -path 'web/apps/vapi/*' -not -path 'web/apps/once/*' -not -path 'web/apps/together/*' 2>/dev/null)
# Python's part and the page's need nothing of each other (and -j is said but once).
AT_ONCE = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j3)
NPM := scripts/npm
# Where this system has a Node, npm need not wait for the virtual environment that would have one.
NODE := $(if $(wildcard $(VENV)/bin/uv),,$(shell $(NPM) --is-there || echo $(VENV)/bin/uv))
WITH_SPEECH := tests/bot tests/doctor
# Nothing there waits, for time or for another process: it computes.
COMPUTING := tests/ears tests/session tests/assistants tests/wire
# How long sounds last, or a restart takes, is measured there; another call would stretch it.
TIMED := tests/e2e/test_call.py tests/e2e/test_survival.py
# A file is one worker's; in which order they are given out, tests/conftest.py says.
LONGEST_FIRST := --dist loadfile --no-loadscope-reorder
COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate $(LOCK_FLAGS)

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 18

run: ## set up what is missing, start Greenroom on loopback, print its address
	@$(MAKE) $(AT_ONCE) what-run-needs
	@$(VENV)/bin/greenroom serve $(ARGS)

setup: ## everything that run and test need, without starting
	@$(MAKE) $(AT_ONCE) what-setup-makes

what-run-needs: $(RUN_READY) $(PAGE)
	@:

what-setup-makes: $(DEV_READY) $(PAGE) $(STOCK) $(VAPI) $(ONCE) $(TOGETHER) $(FLASHCARDS_PAGE)
	@:

$(VENV)/bin/uv:
	@scripts/system-packages python
	@python3 -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt

$(RUN_READY): locks/run.txt pyproject.toml | $(VENV)/bin/uv
	@scripts/system-packages speech
	@echo "· installing Greenroom"
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes -r locks/run.txt
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_READY): locks/dev.txt $(RUN_READY)
	@scripts/system-packages browser
	@scripts/system-packages database
	@echo "· installing the tools of the tests"
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes -r locks/dev.txt
	@touch $@

$(BENCH_READY): locks/bench.txt | $(VENV)/bin/uv
	@echo "· installing what the benchmarks compare with"
	@$(VENV)/bin/uv venv --quiet --clear --python $(PY) $(BENCH_VENV)
	@$(VENV)/bin/uv pip install --quiet --python $(BENCH_VENV)/bin/python --require-hashes -r locks/bench.txt
	@touch $@

$(WEB_READY): web/package-lock.json | $(NODE)
	@echo "· installing what builds the page"
	@cd web && ../$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): $(WEB_SOURCES) $(WEB_READY)
	@echo "· building the page"
	@cd web && ../$(NPM) run --silent build
	@touch $@

$(STOCK): $(STOCK_SOURCES) $(WEB_READY)
	@cd web && ../$(NPM) run --silent stock
	@touch $@

$(VAPI): $(VAPI_SOURCES) $(WEB_READY)
	@cd web && ../$(NPM) run --silent vapi
	@touch $@

$(ONCE): $(ONCE_SOURCES) $(WEB_READY)
	@cd web && ../$(NPM) run --silent once
	@touch $@

$(TOGETHER): $(TOGETHER_SOURCES) $(WEB_READY)
	@cd web && ../$(NPM) run --silent together
	@touch $@

# The examples take the client as it is built, from $(PAGE) on, like an application of somebody else's.
# One npm after the other: the first may have to install Node.
$(FLASHCARDS_READY): $(FLASHCARDS)/package-lock.json | $(WEB_READY)
	@echo "· installing what builds the flash cards"
	@cd $(FLASHCARDS) && ../../../$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(FLASHCARDS_PAGE): $(FLASHCARDS_SOURCES) $(FLASHCARDS_READY) $(PAGE)
	@cd $(FLASHCARDS) && ../../../$(NPM) run --silent build
	@touch $@

$(NEXTJS_READY): $(NEXTJS)/package-lock.json $(PAGE)
	@echo "· installing Next.js"
	@cd $(NEXTJS) && ../../$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(NEXTJS_BUILD): $(NEXTJS_SOURCES) $(NEXTJS_READY)
	@cd $(NEXTJS) && NEXT_TELEMETRY_DISABLED=1 ../../$(NPM) run --silent build
	@touch $@

example-minimum: $(RUN_READY) $(PAGE) ## your own application in 65 lines, with Greenroom beside it
	@$(PY) examples/run.py minimum

example-flashcards: $(RUN_READY) $(FLASHCARDS_PAGE) ## flash cards in React, whose backend counts by webhook
	@$(PY) examples/run.py flashcards

example-nextjs: $(RUN_READY) $(NEXTJS_BUILD) ## a Next.js application whose own sign-in Greenroom goes by
	@$(PY) examples/run.py nextjs

test-nextjs: setup $(NEXTJS_BUILD) ## the Next.js example in a real browser (no part of make test: it is 400 MB)
	@$(PY) -m pytest -q tests/e2e/check_nextjs.py

test: setup ## lint, types, unit tests of both languages, and the call in a real browser
	@$(MAKE) -j2 --output-sync=target test-speech what-speech-leaves
	@$(MAKE) test-rest
	@$(MAKE) test-call

# Speech is mostly waiting for somebody to finish. What only computes takes the rest of the machine.
what-speech-leaves: setup
	@nice -n 19 $(MAKE) lint test-web compiled test-computing

# On a fresh clone each of four workers would compile what all of them import.
compiled: setup
	@nice -n 19 $(PY) -m pytest -qq --collect-only tests >/dev/null

test-fast: setup ## the Python tests without browser
	@$(MAKE) -j2 --output-sync=target test-speech test-computing
	@$(MAKE) test-rest

# With more than two at a time, real speech is not understood on two cores.
test-speech: setup ## the Python tests with real speech, two at a time
	@$(PY) -m pytest -q -m 'not long' -n 2 $(LONGEST_FIRST) $(WITH_SPEECH)

test-long: setup ## whole calls in real time that make test leaves out, for its ten minutes
	@$(PY) -m pytest -q -m long

test-computing: setup ## the Python tests that only compute, one at a time
	@nice -n 19 $(PY) -m pytest -q $(COMPUTING)

test-rest: setup ## the other Python tests without a browser, four at a time
	@$(PY) -m pytest -q -n 4 $(LONGEST_FIRST) $(addprefix --ignore ,tests/e2e $(WITH_SPEECH) $(COMPUTING))

test-call: setup ## whole calls in a real browser: the timed ones alone, the others two at a time
	@$(PY) -m pytest -q $(TIMED)
	@$(PY) -m pytest -q -m 'not long' -n 2 $(LONGEST_FIRST) tests/e2e $(addprefix --ignore ,$(TIMED))

test-call-alone: setup ## the same, one at a time, and then what was measured
	@$(PY) -m pytest -q tests/e2e

chaos: setup ## 500 misfortunes, seeded, on a real server; CHAOS="--seed 7 --store postgres" plays others
	@$(PY) -m tests.chaos $(CHAOS)

fuzz: setup ## odd requests and messages to every door, seeded; FUZZ="--seed 7 --times 100 --only webhook"
	@$(PY) -m tests.fuzz $(FUZZ)

test-web: $(WEB_READY) $(FLASHCARDS_PAGE) ## types and unit tests of the client and the page
	@cd web && ../$(NPM) run --silent check && ../$(NPM) test --silent
	@cd $(FLASHCARDS) && ../../../$(NPM) run --silent check

lint: setup ## ruff, mypy, import-linter
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: $(DEV_READY) ## let ruff put things in order
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

wire: $(DEV_READY) $(WEB_READY) ## regenerate JSON Schema and TypeScript types from src/greenroom/wire
	@$(PY) -m greenroom.wire.schema > web/packages/client/src/wire.schema.json
	@cd web && ../$(NPM) run --silent wire

bench-setup: setup $(BENCH_READY) ## the peers of bench/launch.py, in an environment of their own

wheel: setup ## a wheel that carries the built page, in dist/
	@$(PY) -m build --wheel --no-isolation --outdir dist .

lock: $(VENV)/bin/uv ## resolve the locks anew (versions and hashes, no addresses); LOCK_FLAGS=--upgrade for newer ones
	@for part in uv node; do $(COMPILE) -o locks/$$part.txt locks/$$part.in; done
	@$(COMPILE) -o locks/run.txt pyproject.toml locks/build.in
	@$(COMPILE) --group dev -c locks/run.txt -o locks/dev.txt pyproject.toml
	@$(COMPILE) -c locks/run.txt -o locks/bench.txt locks/bench.in

clean: ## remove what was built and installed
	@rm -rf $(VENV) $(BENCH_VENV) .cache dist web/node_modules web/apps/stock/dist web/apps/vapi/dist web/apps/once/dist web/apps/together/dist $(FLASHCARDS)/node_modules $(FLASHCARDS)/dist $(NEXTJS)/node_modules $(NEXTJS)/.next src/greenroom/page .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help run setup what-run-needs what-setup-makes example-minimum example-flashcards example-nextjs test-nextjs test what-speech-leaves compiled test-fast test-speech test-computing test-long test-rest test-call test-call-alone chaos fuzz test-web lint format wire bench-setup wheel lock clean
