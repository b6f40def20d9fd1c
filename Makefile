# The usual commands. Outside an active virtual environment they use .venv, which `make install` creates.

ifndef VIRTUAL_ENV
export VIRTUAL_ENV := $(CURDIR)/.venv
export PATH := $(VIRTUAL_ENV)/bin:$(PATH)
endif

DOCS_TESTS = tests/docs tests/test_docs.py tests/resources/test_architecture_map.py tests/conformance/test_sdk_coverage.py

CORE_TESTS = tests/wire tests/models tests/session tests/resources tests/bulk tests/releases tests/limits

.PHONY: help install test test-fast test-core test-full lint format types bench docs docs-check ci

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## Install the package with everything for development; outside a virtual environment, into .venv.
	[ -x "$$VIRTUAL_ENV/bin/python" ] || python3 -m venv "$$VIRTUAL_ENV"
	python -m pip install --disable-pip-version-check -e ".[dev]"

test: ## Run the tests, except those marked full.
	pytest

test-fast: ## Run the fast subset of the tests.
	pytest -m "not slow and not full"

test-core: ## Run the fast tests of the core, as CI does on other Pythons.
	pytest -m "not slow and not full" $(CORE_TESTS)

test-full: ## Run all tests.
	pytest -m ""

lint: ## Check format and style.
	ruff format --check .
	ruff check .

format: ## Format, and fix what ruff can fix.
	ruff format .
	ruff check --fix .

types: ## Check types, with mypy and as a user's pyright sees them.
	mypy
	python docs_build/blocks.py build/blocks
	mypy --strict tests/typing build/blocks
	pyright
	pyright build/blocks
	PYTHONPATH=typings pyright --verifytypes segments_async --ignoreexternal # fails below 100 %

bench: ## Run benchmarks: make bench CASES="put json", by default all.
	python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	python -m benchmarks $(CASES)

docs: ## Build the site in build/site, and check its links and its reference. SITE_URL is the address at which it will be published.
	zensical build --strict --clean
	python docs_build/diagrams.py build/site
	python docs_build/relative_links.py build/site
	python docs_build/links.py build/site
	python docs_build/members.py build/site

docs-check: ## Run the pages of the documentation, and check their links, map and tables.
	pytest -q $(DOCS_TESTS)

ci: ## Run what CI runs: every check, in fresh virtual environments.
	.ci/run
