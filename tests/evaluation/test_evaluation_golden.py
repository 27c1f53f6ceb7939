"""What every ``facepipe eval`` command said before evaluation became functions: same keys, order, figures and words."""

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest
from eval_cases import account, compare_account, write_cases

pytestmark = pytest.mark.slow
GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("eval")


@pytest.fixture(scope="module")
def cases(root):
    return write_cases(root)


def assert_alike(got, wanted, where=""):
    """Equal, but for the last digits of numbers, which are the linear algebra library's."""
    assert type(got) is type(wanted), where
    if isinstance(wanted, dict):
        assert list(got) == list(wanted), where
        for key, value in wanted.items():
            assert_alike(got[key], value, f"{where}.{key}")
    elif isinstance(wanted, list):
        assert len(got) == len(wanted), where
        for number, value in enumerate(wanted):
            assert_alike(got[number], value, f"{where}[{number}]")
    elif isinstance(wanted, float):
        assert math.isclose(got, wanted, rel_tol=1e-6, abs_tol=1e-9), f"{where}: {got} {wanted}"
    elif where.endswith("outcomes.scores"):
        np.testing.assert_allclose(*(np.frombuffer(base64.b64decode(text), "<f4") for text in (got, wanted)), rtol=1e-5)
    else:
        assert got == wanted, where


def test_every_case_has_a_golden_copy(cases):
    assert sorted([*cases, "compare"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_golden(name, cases, root):
    if name == "compare":
        got = compare_account(root, [cases["lfw"], cases["lfw-damage"], cases["pairs"]])
    else:
        got = account(cases[name])
    assert_alike(json.loads(json.dumps(got)), json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")), name)
