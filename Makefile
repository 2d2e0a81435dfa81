# Each target is one line one could type; make only remembers them and sets the virtual environment up.
.PHONY: venv demo town test faults check bench docs lock clean
.DEFAULT_GOAL := test

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
FAULTS ?= tests/faults/test_mixed.py
READY := .venv/.ready

venv: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "the module venv is missing: install your system's python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)  ## three countries on loopback, filled with made-up doctors and cases (ARGS="--countries 7")
	$(BIN)/esanum demo $(ARGS)

town: $(READY)  ## two empty instances that list each other
	$(BIN)/esanum demo --countries 2 --empty $(ARGS)

test: $(READY)  ## everything but `slow`
	$(BIN)/python -m tests.tools.run $(ARGS)

faults: $(READY)  ## twenty minutes of all faults over five instances (FAULT_MINUTES=5, or FAULTS=tests/faults for all that is `slow`)
	$(BIN)/python -m pytest $(FAULTS) -m slow -q -s $(ARGS)

check: $(READY)  ## the daily gate
	$(BIN)/python -m tests.tools.check $(ARGS)

bench: $(READY)  ## what it costs, beside a calibration loop
	$(BIN)/python -m tests.bench $(ARGS)

docs: $(READY)  ## write the generated parts of the documentation anew
	$(BIN)/python -m tests.tools.docs --write

lock:  ## pin the dependencies anew (needs uv)
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	  --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf .venv build dist *.egg-info
