# The verbs of this repository; continuous integration uses the same ones.
# A bare machine needs Python 3.11 or newer, git and make. Everything else comes from package registries.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13; do \
	command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$name && break; done)
UV := $(shell command -v uv || echo .make/uv/bin/uv)
RUN := $(UV) run --no-sync
PYTEST := $(RUN) pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --durations 20 --durations-min 1
GSTREAMER := gstreamer1.0-tools $(addprefix gstreamer1.0-,plugins-good plugins-bad plugins-ugly libav) \
	gir1.2-gst-rtsp-server-1.0 python3-gi
LIBAV := libavformat-dev libavcodec-dev libavutil-dev pkg-config
export UV_PYTHON_DOWNLOADS ?= never
unexport PYTHONDONTWRITEBYTECODE # set, it has each start of the product compile all its modules anew: twice the time

.PHONY: help up test long check bench pages setup format fast wheel clean

help: ## List the verbs
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

up: setup pages ## Build what is missing and run the product; ARGS="--http 0.0.0.0:8080" passes flags
	@exec $(RUN) stagedoor up $(ARGS)

test: setup pages ## Run every check and every test
	@$(RUN) python tools/system_packages.py chromium curl ffmpeg g++ postgresql redis-server systemd $(GSTREAMER) $(LIBAV)
	$(RUN) stagedoor livekit install
	$(MAKE) --no-print-directory static
	$(RUN) python tools/pages.py check
	$(PYTEST) $(ARGS)

long: setup pages ## Run the long tests: two hundred kills under load, a quarter of an hour
	@$(RUN) python tools/system_packages.py postgresql
	$(RUN) stagedoor livekit install
	STAGEDOOR_KILLS=200 $(RUN) pytest tests/system/kill/test_jobs_killed.py $(ARGS)

check: setup pages static fast ## Format, lint, types, import contracts and the fast tests

static: setup
	@$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) basedpyright
	$(RUN) lint-imports
	$(RUN) python tools/words.py

fast: setup
	@$(PYTEST) -m "not slow" $(ARGS)

format: setup ## Format the Python code and mend what lint can mend
	@$(RUN) ruff check --fix
	$(RUN) ruff format

bench: setup pages ## Run the benchmarks, each beside a rival or a limit
	@$(RUN) stagedoor livekit install
	$(RUN) python -m benchmarks $(ARGS)

wheel: setup pages ## Build the wheel, pages included, into dist/
	@$(UV) build --wheel

setup: .make/synced

pages: setup ## Build the pages if their sources have changed
	@$(RUN) python tools/pages.py build

.make/synced: pyproject.toml uv.lock Makefile
	@mkdir -p .make
	test -n "$(PYTHON)" || { echo "Stagedoor needs Python 3.11 or newer; install it and run make again." >&2; exit 1; }
	if ! [ -x "$(UV)" ] && ! command -v "$(UV)" >/dev/null; then
		echo "Installing uv into .make/uv"
		$(PYTHON) tools/system_packages.py python3-venv
		$(PYTHON) -m venv .make/uv
		.make/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
	fi
	$(UV) sync --locked --quiet --python "$(PYTHON)"
	touch $@

clean: ## Remove what was built here; the data folder and the cache stay
	@rm -rf .make .venv dist web/node_modules src/stagedoor/pages/static
