# One command per task; `make help` lists them. Nothing needs preparing but Python >= 3.11 and make:
# each target makes the virtual environment first, and again whenever a pyproject.toml has changed.

PYTHON ?= python3
VENV ?= .venv
# Processes of a test run: `make test TEST_WORKERS=4`; 0 runs everything in one.
TEST_WORKERS ?= auto
# Passed to pytest as typed: `make test ARGS="-k lease -x"`.
ARGS ?=
# How many canvases `make laws` tries.
CANVASES ?= 500
# The random moments of `make faults` follow from it.
export FAULTS_SEED ?=

DISTRIBUTIONS := core $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
STAMP := $(VENV)/.celeriac-setup
BENCH_STAMP := $(VENV)/.celeriac-setup-bench
# Celery has an environment of its own: a plugin of ours may call itself `celery`.
INTEROP_VENV ?= .venv-interop
INTEROP_STAMP := $(INTEROP_VENV)/.celeriac-setup
# And the Celery before, since a fleet moves over from there as well.
INTEROP_BEFORE := $(INTEROP_VENV)-before
INTEROP_BEFORE_STAMP := $(INTEROP_BEFORE)/.celeriac-setup
# So do packages that were written for Celery: they are tried with our package of that name in its place.
EXTENSIONS_VENV ?= .venv-extensions
EXTENSIONS_STAMP := $(EXTENSIONS_VENV)/.celeriac-setup
EXTENSIONS := django-celery-beat django-celery-results celery-redbeat celery-singleton celery-once celery-progress flower \
	opentelemetry-instrumentation-celery
# The plugin of Django on each version that it is for: DJANGO_PYTHON names an interpreter that is new enough for all.
DJANGO_PYTHON ?= $(PYTHON)
DJANGO_VERSIONS ?= 4.2 5.2 6.0 6.1
DJANGO_STAMPS := $(DJANGO_VERSIONS:%=.venv-django-%/.celeriac-setup)
TOO_OLD := Celeriac needs Python 3.11 or newer and '$(PYTHON)' is not; install one and name it, as in: make PYTHON=python3.12 setup

# How long each decoder is fuzzed by each of the two engines, how many at a time, and which.
FUZZ_SECONDS ?= 600
FUZZ_WORKERS ?= 2
FUZZ_DECODERS ?= json task-v2 task-v1 result event control orjson yaml msgpack gzip bzip2 lzma zstd brotli \
	gzip-checked bzip2-checked zstd-checked pickle auth auth-packed auth-inside auth-sealed auth-header reply signature \
	amqp amqp-properties redis redis-result sqlite state-file schedule-file stored-schedule revoked

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup test faults-beat test-fast golden laws faults coverage lint format types architecture docs-check interop fuzz extensions django-versions beside-celery surface stubs capabilities demo demo-crash demo-django bench soak dist clean clean-all

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## Make the virtual environment: core and every plugin from this clone, and the development tools

# -e for each distribution in one command, so that they satisfy each other's requirements.
$(STAMP): pyproject.toml $(DISTRIBUTIONS:=/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(TOO_OLD)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --group dev
	$(BIN)/python -m pip install --quiet --no-build-isolation $(DISTRIBUTIONS:%=-e %)
	@touch $@

$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

$(INTEROP_STAMP): pyproject.toml
	test -x $(INTEROP_VENV)/bin/python || $(PYTHON) -m venv $(INTEROP_VENV)
	$(INTEROP_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(INTEROP_VENV)/bin/python -m pip install --quiet --group interop
	@touch $@

$(INTEROP_BEFORE_STAMP): pyproject.toml
	test -x $(INTEROP_BEFORE)/bin/python || $(PYTHON) -m venv $(INTEROP_BEFORE)
	$(INTEROP_BEFORE)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(INTEROP_BEFORE)/bin/python -m pip install --quiet --group interop-before
	@touch $@

$(EXTENSIONS_STAMP): pyproject.toml $(DISTRIBUTIONS:=/pyproject.toml)
	test -x $(EXTENSIONS_VENV)/bin/python || $(PYTHON) -m venv $(EXTENSIONS_VENV)
	$(EXTENSIONS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(EXTENSIONS_VENV)/bin/python -m pip install --quiet --group extensions
	$(EXTENSIONS_VENV)/bin/python -m pip install --quiet --no-deps $(EXTENSIONS)
	$(EXTENSIONS_VENV)/bin/python -m pip install --quiet --no-build-isolation $(patsubst %,-e %,core $(addprefix plugins/,celery memory redis))
	@touch $@

test: $(STAMP)  ## Run the whole test suite, faults included
	$(PYTEST) -n $(TEST_WORKERS) --dist worksteal --ignore tests/interop --ignore tests/extensions $(ARGS)

faults-beat: $(STAMP)  ## Kill leading beats at random moments for five minutes, on SQLite, Redis and RabbitMQ
	BEAT_FAULT_SECONDS=300 $(PYTEST) -n 3 -rP tests/faults/test_beat.py $(ARGS)

test-fast: $(STAMP)  ## Run the tests that answer at once: no faults, no end-to-end, nothing marked slow
	$(PYTEST) -n $(TEST_WORKERS) --dist worksteal -m "not slow" --ignore tests/faults --ignore tests/e2e --ignore tests/interop --ignore tests/extensions $(ARGS)

golden: $(STAMP)  ## Write anew what commands print, for the tests that hold them to it; then look at the difference
	GOLDEN_WRITE=1 $(PYTEST) -n $(TEST_WORKERS) tests/unit/cli/test_help.py tests/e2e/test_command_line.py $(ARGS)

laws: $(STAMP)  ## Try the laws of canvases with other canvases than the suite, and 500 of them: make laws CANVASES=5000
	CANVAS_LAWS=$(CANVASES) $(PYTEST) -n $(TEST_WORKERS) tests/unit/canvas/test_laws.py \
		tests/unit/canvas/test_uncounted.py tests/e2e/test_canvas.py $(ARGS)

faults: $(STAMP)  ## Let everything fail 20 times over 10,000 tasks, on each broker (up to an hour): make faults FAULTS_SEED=7
	FAULTS_EACH=20 FAULTS_TASKS=10000 FAULTS_AWAY=5 $(PYTEST) -n $(TEST_WORKERS) tests/faults -rP --show-capture=stdout $(ARGS)

# A report and no gate: tracing makes everything slower, so that a test may miss its time. Left out: under a tracer
# CPython 3.11 spins for ever while an exception set on another thread waits for that thread to leave a C call, which
# is what the soft limit of the thread pool does.
coverage: $(STAMP)  ## Run the test suite and report which lines and branches it never reached
	$(BIN)/coverage erase
	-$(BIN)/coverage run -m pytest -n $(TEST_WORKERS) --dist worksteal --ignore tests/plugins/threads/test_limits.py $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(STAMP)  ## Check style and formatting with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)  ## Mend what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)  ## Check types of all source with mypy --strict
	$(BIN)/mypy $(wildcard $(DISTRIBUTIONS:=/src))

architecture: $(STAMP)  ## Check the import rules and the shape of the house
	$(PYTEST) tests/architecture $(ARGS)

docs-check: $(STAMP)  ## Check that the links between the documents lead somewhere
	$(PYTEST) tests/docs $(ARGS)

interop: $(STAMP) $(INTEROP_STAMP) $(INTEROP_BEFORE_STAMP)  ## Run clients and workers of Celery 5.7 and 5.6 against ours
	INTEROP_PYTHON=$(abspath $(INTEROP_VENV))/bin/python INTEROP_PYTHON_5_6=$(abspath $(INTEROP_BEFORE))/bin/python \
		$(PYTEST) -n $(TEST_WORKERS) tests/interop $(ARGS)

# Atheris has wheels for few systems and versions of Python; where it cannot be had, hypothesis fuzzes alone.
fuzz: $(STAMP)  ## Fuzz every decoder, ten minutes by each engine: make fuzz FUZZ_SECONDS=60 FUZZ_DECODERS="yaml json"
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet --group fuzz || \
		echo "atheris cannot be installed here: only hypothesis fuzzes" >&2
	@echo "| decoder | engine | runs | read | findings | peak MiB | slowest s |"
	@engines=hypothesis; $(BIN)/python -c 'import atheris' 2>/dev/null && engines="hypothesis atheris"; \
	for engine in $$engines; do for decoder in $(FUZZ_DECODERS); do echo $$decoder $$engine; done; done | \
		xargs -P $(FUZZ_WORKERS) -L 1 sh -c '$(BIN)/python tests/fuzz/run.py $$0 --engine $$1 --seconds $(FUZZ_SECONDS)'

extensions: $(EXTENSIONS_STAMP)  ## Try packages for Celery (django-celery-beat, flower, sentry-sdk, ...) on ours
	EXTENSIONS=1 $(EXTENSIONS_VENV)/bin/python -m pytest -W default tests/extensions $(ARGS)

.venv-django-%/.celeriac-setup: pyproject.toml $(DISTRIBUTIONS:=/pyproject.toml)
	test -x $(@D)/bin/python || $(DJANGO_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(@D)/bin/python -m pip install --quiet --group django-versions
	$(@D)/bin/python -m pip install --quiet --no-build-isolation $(patsubst %,-e %,core $(addprefix plugins/,asyncio django memory prefork redis solar sqlite threads))
	$(@D)/bin/python -m pip install --quiet "django==$*.*"
	@touch $@

django-versions: $(DJANGO_STAMPS)  ## Try the plugin of Django on 4.2 to 6.1: make django-versions DJANGO_PYTHON=python3.13
	@for version in $(DJANGO_VERSIONS); do \
		.venv-django-$$version/bin/python -c 'import django, sys; print("Django", django.__version__, "on Python", sys.version.split()[0])' && \
		.venv-django-$$version/bin/python -m pytest -q -n $(TEST_WORKERS) $(ARGS) tests/plugins/django || exit 1; \
	done

beside-celery: $(STAMP)  ## Install Celery beside ours, in either order, and take one away again
	BESIDE_CELERY=1 $(PYTEST) tests/extensions/test_beside_celery.py $(ARGS)

surface: $(STAMP)  ## Print the table of Celery's public names: here, alike, and which test shows what it does
	@PYTHONPATH=tests/unit/surface $(BIN)/python -m celery_surface

stubs: $(STAMP)  ## Write anew the stubs by which type checkers find what the package celery has
	$(BIN)/python tests/plugins/celery/celery_stubs.py

# All at once: what takes the time is that each driver waits, as long as it does by default, for a server that never answers.
capabilities: $(STAMP)  ## Write docs/reference/capabilities.md and plugins/README.md: what the conformance kit finds of each driver
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && \
	amqp="$${AMQP_URL:-amqp://guest:guest@127.0.0.1:5672//}" && redis="$${REDIS_URL:-redis://127.0.0.1:6379/0}" && \
	check() { \
		report="$$home/$$1.json"; shift; \
		$(BIN)/celeriac plugins check --level stress --json "$$@" > "$$report" || { cat "$$report"; mv "$$report" "$$report.failed"; }; \
	} && { \
		check 1-memory memory:// & \
		check 2-sqlite "sqlite:///$$home/queue.db" & \
		check 3-redis --kind broker "$$redis" & \
		check 4-redis --kind backend "$$redis" & \
		check 5-amqp "$$amqp" & \
		check 6-quorum --queue-type quorum "$$amqp" & \
		check 7-rpc "rpc$${amqp#amqp}" & \
		number=10; for name in gzip bzip2 lzma zstd brotli; do check $$number-$$name --kind compressor $$name; number=$$((number + 1)); done; \
		wait; \
	} && ! ls "$$home"/*.failed >/dev/null 2>&1 && \
	set -- "$$home"/[1-9]-*.json "$$home"/1[0-9]-*.json && \
	$(BIN)/python -m celeriac.testing.conformance.table "$$@" > "$$home/page.md" && \
	mv "$$home/page.md" docs/reference/capabilities.md && \
	$(BIN)/python -m celeriac.testing.conformance.table --brokers-into plugins/README.md "$$@"

demo: $(STAMP)  ## Census of the standard library on the embedded queue: a worker, a task per file, a table
	$(BIN)/python examples/stdlib_census/demo.py

demo-crash: $(STAMP)  ## The same, with the worker killed by SIGKILL half way and nothing lost
	$(BIN)/python examples/stdlib_census/demo.py --crash

demo-django: $(STAMP)  ## A Django project: orders baked by tasks, results and schedules in its admin; ARGS="--screenshots DIR"
	$(BIN)/python examples/django/demo.py $(ARGS)

bench: $(BENCH_STAMP)  ## Measure against other task queues, with a Redis server of its own where there is one
	PATH="$(abspath $(BIN)):$$PATH" bash benchmarks/run.sh $(ARGS)

soak: $(BENCH_STAMP)  ## Five minutes of mixed load: what leaks, what is lost; make soak ARGS="--minutes 60 --broker redis"
	$(BIN)/python benchmarks/soak.py $(ARGS)

dist: $(STAMP)  ## Build the wheels of core, every plugin and the suite into dist/
	@for distribution in . $(DISTRIBUTIONS); do \
		$(BIN)/python -m build --wheel --no-isolation --outdir dist $$distribution >/dev/null || exit 1; \
	done
	@ls dist

clean:  ## Remove what building and testing left behind; the virtual environment stays
	rm -rf dist build core/build plugins/*/build celeriac_suite.egg-info htmlcov .coverage .coverage.*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find core plugins tests examples benchmarks -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

clean-all: clean  ## Remove that and the virtual environment
	rm -rf $(VENV) $(INTEROP_VENV) $(INTEROP_BEFORE) $(EXTENSIONS_VENV) .venv-django-*
	find core plugins -type d -name '*.egg-info' -prune -exec rm -rf {} + 2>/dev/null || true
