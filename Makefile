# The first targets work on a fresh Debian 12 with python3, python3-venv and make; they prepare the rest themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
FUZZ_SECONDS ?= 300
SOURCES := gateway readers config simulators tests
# Where third-party vectors are at hand, tests use them; elsewhere those tests say that they are skipped.
export LLRP_VECTORS SERIAL_VECTORS

.PHONY: help demo test test-long soak fuzz audit check format bench accuracy interop lock clean
help:               ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 22

demo: $(READY)      ## watch a simulated store being counted (ARGS="--seconds 9")
	@$(BIN)/tallygate demo $(ARGS)

# Most tests wait for brokers, ports and readers: four at a time keep two cores busy.
test: $(READY) system-packages  ## all tests but the long ones (ARGS="-k ledger")
	$(BIN)/pytest -n 4 --dist loadfile -m "not slow" --ignore tests/interop $(ARGS)

test-long: $(READY) system-packages  ## the long ones
	MODEL_SCHEDULES=20000 $(BIN)/pytest -m slow $(ARGS)
	MODEL_SCHEDULES=20000 $(BIN)/pytest --timeout 900 tests/gateway/test_exactly_once_model.py

soak: $(READY) system-packages  ## faults of every kind, an hour or two (FAULT_SEED=7: other luck)
	POWERCUT_LIVES=3 POWERCUT_SCATTERED=8 KILLS=200 NETWORK_ROUNDS=20 BROKER_KILLS=30 LOSS_ROUNDS=10 READER_ROUNDS=60 \
		CLOCK_JUMPS=8 SHOP_HOURS=1000 FRAME_STRIDE=5 SOAK_MINUTES=5 SOAK_HOURS=6 OFFLINE_DELTAS=5000000 \
		$(BIN)/pytest -s --timeout 3600 --durations 20 $(ARGS) tests/faults

fuzz: $(READY) system-packages  ## broken frames, files, requests (FUZZ_SECONDS=60: fewer)
	FRAME_STRIDE=5 $(BIN)/pytest -s --timeout 1800 $(ARGS) tests/faults/test_bad_frames.py \
		tests/faults/test_requests.py tests/config/test_loader.py tests/gateway/consumer/test_decode.py
	@$(BIN)/pip install --quiet --only-binary :all: 'atheris>=3' || \
		{ echo "atheris cannot be installed for this Python: tag reports are not fuzzed by coverage"; exit 1; }
	@mkdir -p build/fuzz/reports
	$(BIN)/python -m tests.fuzz.reports -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/reports tests/corpus/reports

audit: $(READY)     ## known weaknesses of the dependencies, if they can be asked
	$(BIN)/pip install --quiet pip-audit
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock || \
		{ echo "weaknesses were found, or the database (pypi.org) cannot be reached: see above"; exit 1; }

check: $(READY)     ## format, lint, types, and the tidiness of the structure
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_tidy.py

format: $(READY)    ## bring the sources into the one format
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: $(READY) system-packages  ## measure, side by side in one run
	$(BIN)/python -m tests.bench $(ARGS)

accuracy: $(READY)  ## the score on reporting seeds; an hour on two cores
	@$(BIN)/tallygate evaluate --first-seed 1001 --seeds 20 --jobs 2 $(ARGS); score=$$?; \
	$(BIN)/tallygate evaluate --rare --first-seed 1001 --jobs 2 && exit $$score

interop: $(READY)   ## other people's programs against ours, in .venv-interop/
	$(BIN)/python -m tests.interop.peers
	$(BIN)/pytest --timeout 400 $(ARGS) tests/interop

lock: $(READY)      ## write requirements.lock anew from pyproject.toml
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --extra demo --extra lab --group dev \
		--python-version 3.11 pyproject.toml --output-file requirements.lock

clean:              ## remove what this file made
	rm -rf $(VENV) .venv-interop .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tallygate needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "this Python cannot make a virtual environment: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

# The tests of the uplink need a real Mosquitto, that of the simulator's wire a real tshark.
.PHONY: system-packages
system-packages:
	@sh tests/system-packages.sh
