# Each of these sets up what it needs, in .venv.

PYTHON ?= python3
BIN = .venv/bin

# How many tests run at a time: a number, "auto" for one a processor, 0 for none beside another.
JOBS ?= auto
# Tests of one class stay together, for they may share a server.
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadscope

.PHONY: run test unit coverage faults soak mutants bench scale neighbours check docs release-check clean

run: .venv/installed
	$(BIN)/twistd --pidfile= -n tokensock

# Such as: make test ARGS="tests/client -k reconnect -x" JOBS=0; see tests/README.md.
test: .venv/installed
	$(PYTEST) $(ARGS)

# What runs in memory, which is all but the real peers.
unit: .venv/installed
	$(PYTEST) --ignore=tests/interop $(ARGS)

# The same, and which branches it takes: no module of these rooms may be below the floor.
coverage: .venv/installed
	$(PYTEST) --ignore=tests/interop --cov --cov-report=json:coverage.json $(ARGS)
	$(BIN)/python -m tests.coverage_floor coverage.json

# Every fault of the table, over every transport; make test plays one of a kind.
faults: .venv/installed
	FAULTS=all $(PYTEST) tests/faults $(ARGS)

# Such as: make soak SECONDS=36000 CALLS=100 MESSAGES=1000 SEED=42; see docs/soak.rst.
soak: .venv/installed
	$(BIN)/python -m tests.soak $(if $(SECONDS),--seconds=$(SECONDS)) \
		$(if $(CALLS),--calls=$(CALLS)) $(if $(MESSAGES),--messages=$(MESSAGES)) \
		$(if $(CLIENTS),--clients=$(CLIENTS)) $(if $(SEED),--seed=$(SEED))

# Such as: make mutants ROOMS="txtokensock/server txtokensock/bridge" COUNT=60 SEED=42.
mutants: .venv/installed
	$(BIN)/python -m tests.mutants $(ROOMS) $(if $(COUNT),--count=$(COUNT)) \
		$(if $(SEED),--seed=$(SEED))

# Such as: make bench ONLY="in flight|fan-out" SECONDS=5 ROUNDS=3 BASE=before.json; on an idle machine.
bench: .venv/installed-bench
	$(BIN)/python -m benchmarks.compare $(if $(ONLY),--only="$(ONLY)") \
		$(if $(SECONDS),--seconds=$(SECONDS)) $(if $(ROUNDS),--rounds=$(ROUNDS)) \
		$(if $(BASE),--base=$(BASE)) $(if $(DOCS),--docs)

# Such as: make scale PEERS=5000 SECONDS=10; on an idle machine, see docs/scaling.rst.
scale: .venv/installed
	$(BIN)/python -m tests.scale $(if $(PEERS),--peers=$(PEERS)) \
		$(if $(SECONDS),--seconds=$(SECONDS))

# What others feel of attacks; such as: make neighbours ARGS="pings bridge"; see docs/security.rst.
neighbours: .venv/installed
	$(BIN)/python -m tests.neighbours $(ARGS)

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-docs
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html

# The wheel and the sdist as strangers get them, and the oldest versions; see docs/releasing.rst.
release-check: .venv/installed
	$(BIN)/nox --session release tests lowest

# A plain install hides changes to the sources, and the default editable one hides the
# plugin from twistd: "compat" shows both.
.venv/installed: pyproject.toml
	@echo "Installing into .venv; this takes about a minute."
	rm -rf .venv # the link alone where it is one: "venv --clear" empties what it leads to
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--config-settings editable_mode=compat -e '.[test,dev]'
	touch $@

.venv/installed-docs: .venv/installed
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]' \
		--config-settings editable_mode=compat
	touch $@

.venv/installed-bench: .venv/installed
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]' \
		--config-settings editable_mode=compat
	touch $@

clean:
	rm -rf .venv build dist *.egg-info docs/_build tests/interop/node/node_modules tests/interop/.crossbar
