"""Each kind of input as people have it: what is said today, and that it was not said before."""

import json
from collections import Counter

import input_cases
import pytest

pytestmark = pytest.mark.slow
TOLD = json.loads(input_cases.TABLE.read_text())


@pytest.fixture(scope="module")
def kit(tmp_path_factory, astronaut):
    return input_cases.make_kit(tmp_path_factory.mktemp("kit"), astronaut)


def test_twelve_kinds_each_with_an_example_that_failed_and_three_variations():
    """Not every variation was wrong before: the table says which."""
    assert TOLD.keys() == input_cases.CASES.keys()
    cases = Counter(name[:2] for name in TOLD)
    assert cases.keys() == {f"{item:02d}" for item in range(1, 13)} and min(cases.values()) >= 4
    failed = Counter(name[:2] for name, told in TOLD.items() if told["before"] != told["now"])
    assert failed.keys() == cases.keys() and failed.total() >= 50


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", input_cases.CASES)
def test_what_is_said(tmp_path, kit, name):
    if name.startswith("05"):
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    assert input_cases.answer(name, tmp_path, kit) == TOLD[name]["now"]
