# One way to do each thing; `make help` lists them. Recipes call scripts, workflows call this file.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
TOPOLOGY ?= single
# A lab of its own for each topology, so that both can be up.
LAB_NAME ?= $(if $(filter cluster,$(TOPOLOGY)),cluster,lab)
export LAB_NAME
# Measurements tell how they go, and take as long as they take.
PROVE = $(PYTHON) -m pytest --full -s -p no:cacheprovider

.PHONY: help setup demo test test-long check prove evidence pipeline docs-test bench lab lab-down build format clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST) | \
	  { if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }

setup: $(STAMP) ## Install what the commands need: system packages when root, a virtual environment

$(STAMP): requirements/dev.txt scripts/setup
	@scripts/setup $(VENV)
	@touch $@

demo: $(STAMP) ## From a bare machine to SignUpFlow over HTTPS on real hosts; TOPOLOGY=cluster for four of them
	@$(PYTHON) -m lab.demo --topology $(TOPOLOGY)

lab: $(STAMP) ## Start the lab's hosts and servers; TOPOLOGY=cluster for four hosts
	@$(PYTHON) -m lab up --topology $(TOPOLOGY)

lab-down: $(STAMP) ## Remove the lab, whatever state it is in
	@$(PYTHON) -m lab down

build: $(STAMP) ## Build the app's and PostgreSQL's images
	@$(PYTHON) scripts/images.py build

test: $(STAMP) ## The tests, on real hosts: every line of the specification at least once
	@scripts/test $(PYTHON) $(PYTEST_ARGS)

test-long: $(STAMP) ## The longer tests, which make test leaves out: the same lines once more, under other faults
	@scripts/test $(PYTHON) -m long

check: $(STAMP) ## The fast gate: format, lint, types, secrets in the history, pure tests
	@scripts/check $(VENV)/bin

prove: $(STAMP) ## Every promise measured in full; LINE=name for one (docs/EVIDENCE.md lists them); JSON in docs/evidence/
	@$(PROVE) $(LINE:%=--line %)

pipeline: $(STAMP) ## From a commit to production in the lab, the workflow files run by act
	@$(PROVE) --line pipeline

docs-test: $(STAMP) ## Execute the guides' command blocks on a lab
	@$(PROVE) --line guides

evidence: $(STAMP) ## Make docs/EVIDENCE.md and the table of docs/SPECIFICATION.md from what is there
	@$(PYTHON) scripts/evidence.py

bench: $(STAMP) ## Measure times and sizes
	@$(PYTHON) -m benchmarks.times

format: $(STAMP) ## Format the code
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

clean: ## Remove caches, not the lab
	@rm -rf .build .pytest_cache .ruff_cache .mypy_cache .hypothesis
