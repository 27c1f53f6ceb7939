"""The benchmarks are no part of the package, and are run seldom: at least all that they import is there."""

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.py")))
def test_it_finds_what_it_imports(name, monkeypatch):
    for folder in (FOLDER, FOLDER.parent / "tests"):
        monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    try:
        assert "__name__" in runpy.run_path(str(FOLDER / name), run_name="imported")
    finally:
        # Those that import each other must not be found by others under their plain names.
        for module in set(sys.modules) - before:
            if getattr(sys.modules[module], "__file__", None) and FOLDER in Path(sys.modules[module].__file__).parents:
                del sys.modules[module]
