# Everything one does with gridgov. `make run` and `make test` need Debian 12 or the like with Python 3.11 and nothing else.
PYTHON ?= python3
# Python keeps what it compiled, whatever the caller's habit: a start takes a third of the time.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
COMPILE := pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras --no-header --allow-unsafe
FAST := not browser and not slow
# One process a processor, each with servers of its own; a file's tests stay together.
SIDE_BY_SIDE := -n auto --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run setup test check bench lock clean setup-run setup-tests

help:
	@echo "make run     set up what is missing and serve http://127.0.0.1:8000 until Ctrl-C"
	@echo "make setup   set up what is missing, the database and the demo city too, without serving"
	@echo "make test    all tests, on real PostgreSQL, Redis and Chromium; ARGS='-k name' passes options to pytest"
	@echo "make check   the fast inner loop: ruff, mypy, the tests that need neither browser nor patience"
	@echo "make bench   the benchmarks, one figure a line; ONLY=group runs one group"
	@echo "make lock    compile the pinned requirements anew; UPGRADE=1 takes the newest versions"
	@echo "make clean   remove what the set-up made; the data in var/ stays"

setup-run setup-tests:
	@command -v $(PYTHON) >/dev/null || { echo "gridgov: Python 3.11 is missing: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) .ci/setup.py $(@:setup-%=%)

run: setup-run
	@$(BIN)/python -m gridgov run --stop-with-parent

setup: setup-run
	@$(BIN)/python -m gridgov setup

test: setup-tests
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

check: setup-tests
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) -m "$(FAST)" $(ARGS)

bench: setup-tests
	@$(BIN)/python -m bench $(ONLY)

lock: setup-tests
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-tools
	@for folder in . gridgov/frontend tests; do \
	  (cd $$folder && $(CURDIR)/$(BIN)/python -m piptools compile $(COMPILE:pip-compile=) $(if $(UPGRADE),--upgrade) \
	    -o requirements.txt requirements.in && \
	    sed -i '1i # Compiled from requirements.in by `make lock`.' requirements.txt) || exit 1; \
	done

clean:
	rm -rf .venv gridgov/static/dist gridgov/static/dist.next gridgov/frontend/node_modules
	find gridgov tests bench -name __pycache__ -prune -exec rm -rf {} +
	find gridgov/translations -name '*.mo' -delete
