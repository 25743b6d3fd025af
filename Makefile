# Each target works as the first command on a fresh machine with Python >= 3.11 (venv) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Many tests wait for servers: four files at a time keep two processors busy. In the order of
# tests/conftest.py, which puts the longest first.
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

# Where an environment forbids bytecode in the tree, each of the four would compile all tests again.
unexport PYTHONDONTWRITEBYTECODE
test check: export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/bytecode

.PHONY: run test test-outage drill check bench mutants clean

$(STAMP): pyproject.toml
	@echo "muster: preparing $(VENV) (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "muster: Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "muster: Python's venv is missing; on Debian: apt install python3-venv"; exit 2; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,postgres]'
	@$(BIN)/python -m compileall -q bouncer fallback storage  # else each start may have to
	@touch $@

run: $(STAMP)  ## serve with no configuration, state in ./var
	@exec $(BIN)/bouncer run

test: $(STAMP)  ## everything that takes less than ten minutes
	$(PYTEST) -m 'not outage'

# Simulations and searches keep one processor busy for a quarter of an hour; played outages wait most
# of the time. So the two run side by side, the first giving way to the second.
test-outage: $(STAMP)  ## network namespaces, real cuts, long simulations
	@mkdir -p .pytest_cache
	@$(BIN)/python -m pytest -m outage --ignore=tests/fallback & played=$$!; \
	nice $(BIN)/python -m pytest -m outage -o cache_dir=.pytest_cache/searched tests/fallback \
		> .pytest_cache/searched.log 2>&1; searched=$$?; \
	wait $$played; played=$$?; \
	cat .pytest_cache/searched.log; \
	exit $$((played | searched))

drill: $(STAMP)  ## the whole outage on this machine, narrated
	@exec $(BIN)/python -m tests.outage.drill

check: $(STAMP)  ## lint, types and the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m 'not outage'

mutants: $(STAMP)  ## undo each fix in a copy and see that its test notices, a few minutes
	$(BIN)/python -m tests.mutants

bench: $(STAMP)  ## figures as ratios against a peer in the same run
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
