# exhibit: `make help` lists what there is. Two commands do all the set-up: `make demo` and `make test`.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE ?= $(HOME)/.cache/exhibit
SHARED := ../shared/data
JOBS ?= 2

# Nothing may install or download at run time.
export YOLO_AUTOINSTALL := false
export YOLO_OFFLINE := true
export OPENVINO_TELEMETRY_OPT_OUT := 1
# A network whose proxy looks into TLS has its authority in the system's store.
export UV_SYSTEM_CERTS := 1
ifneq ($(wildcard $(SHARED)/models),)
export EXHIBIT_MODELS_DIR ?= $(abspath $(SHARED)/models)
endif
ifneq ($(wildcard $(SHARED)),)
export EXHIBIT_TEST_DATA ?= $(abspath $(SHARED))
endif

SCORERS := ../shared/eval
ifneq ($(wildcard $(SCORERS)),)
export EXHIBIT_EVAL ?= $(abspath $(SCORERS))
endif

.PHONY: help setup demo up test e2e check format pictures lock tree clean minio quality bench odd telemetry

help: ## what there is
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## make .venv with every pinned package, and the front-end files

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv

$(VENV)/.packages: requirements/dev.txt pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.static: web/package-lock.json web/package.json web/build_static.py | $(VENV)/.packages
	$(BIN)/python web/build_static.py
	@touch $@

$(VENV)/.ready: $(VENV)/.packages $(VENV)/.static
	@touch $@

CLIP ?=
CASE ?= DEMO/1
STORE ?= folder
KEEP ?=
demo: setup ## the main job on this machine: upload, find, redact, file (CLIP=path CASE=ref STORE=minio KEEP=1)
	@EXHIBIT_CACHE="$(CACHE)" $(BIN)/exhibit demo --case "$(CASE)" --store "$(STORE)" $(if $(CLIP),--clip "$(CLIP)") $(if $(KEEP),--keep)

up: setup ## everything on one machine, until Ctrl-C
	@$(BIN)/exhibit up

minio: setup ## the MinIO server for the tests: from PATH, the cache, or built once
	@$(BIN)/python -m tests.minio_server "$(CACHE)"

test: setup minio ## the whole suite but the browser: real PostgreSQL, Valkey, MinIO, FFmpeg
	@EXHIBIT_CACHE="$(CACHE)" $(BIN)/python -m pytest -m "not e2e" -n $(JOBS) --dist loadscope --max-worker-restart 0 $(PYTEST)

e2e: setup minio ## the whole stack in Chromium
	@EXHIBIT_CACHE="$(CACHE)" $(BIN)/python -m pytest tests/e2e -m e2e $(PYTEST)

check: setup ## ruff, mypy strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## put the code into its one format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

pictures: demo ## the README's before/after picture, from the demo
	@$(BIN)/python docs/pictures/make.py

LENGTH ?= 4
REPEATS ?= 3
GROWTH ?= 2
bench: setup ## how fast, against controls, into docs/performance.md: the short form (LENGTH=60 GROWTH=60 for steady figures)
	@$(BIN)/python -m benchmarks --length $(LENGTH) --repeats $(REPEATS) --growth $(GROWTH) --raw build/bench.json --out docs/performance.md

# What checks the engine shares no code with it: the scorers have packages of their own.
$(CACHE)/quality/scorers/.ready: requirements/scorers.txt | $(BIN)/uv
	@mkdir -p $(@D)
	$(PYTHON) -m venv --clear --without-pip $(@D)
	$(BIN)/uv pip install -q --python $(@D)/bin/python --require-hashes --no-deps -r requirements/scorers.txt
	@touch $@

QUALITY ?=
quality: setup $(CACHE)/quality/scorers/.ready ## leaks and over-redaction as shipped, into docs/quality.md (QUALITY="--seeds 1 2 3")
	@EXHIBIT_CACHE="$(CACHE)" $(BIN)/python -m benchmarks.quality --scorer-python "$(CACHE)/quality/scorers/bin/python" $(QUALITY)

ODD ?=
odd: setup ## odd media through analyse and redact, into docs/odd-media.md: an hour (ODD=--quick: minutes, without the networks)
	@$(BIN)/python -m tests.odd_media $(ODD) $(SHARED)/odd

telemetry: setup ## every telemetry file of the test collection, into docs/telemetry.md
	@$(BIN)/python -m tests.telemetry_page $(SHARED)/telemetry

lock: | $(BIN)/uv ## choose versions anew from requirements/*.in
	cd requirements && lock() { ../$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header "$$@" \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28 --override overrides.txt; } && \
	lock runtime.in -o runtime.txt && lock optimise.in -c runtime.txt -o optimise.txt && \
	lock dev.in -o dev.txt && lock scorers.in -o scorers.txt

tree: ## the rooms and how large they are
	@for d in evidence config storage media detectors casefile ingest workers web cli tests; do \
		printf '%-10s %6d lines\n' $$d $$(git ls-files "$$d/*.py" | xargs cat | wc -l); done

clean: ## remove what setup made
	rm -rf $(VENV) web/node_modules web/static/vendor
