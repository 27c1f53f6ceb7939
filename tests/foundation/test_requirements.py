"""requirements/light.txt is what facepipe depends on, without PyTorch and with an engine in its place; constraints.txt
names one version of each, within the bounds."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "onnxruntime>=1.18,<2"


def test_the_light_list_follows_the_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements" / "light.txt").read_text(encoding="utf-8").splitlines()
    light = [line for line in lines if line and not line.startswith("#")]
    expected = {
        line.replace("opencv-python>", "opencv-python-headless>")
        for line in project["dependencies"]
        if not line.startswith("torch>")
    }
    assert sorted(light) == sorted(expected | {ENGINE})
    assert project["optional-dependencies"]["onnx"] == [ENGINE]


def test_each_dependency_has_one_version_that_was_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: some for name, some in project["optional-dependencies"].items() if name not in ("gs", "hf")}
    wanted = [Requirement(line) for some in (project["dependencies"], *extras.values()) for line in some]
    lines = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    pinned = dict(pairs)
    assert len(pinned) == len(pairs) and pinned.keys() == {one.name for one in wanted} - {"facepipe"}
    outside = [one for one in wanted if one.name != "facepipe" and pinned[one.name] not in one.specifier]
    assert outside == []


def test_continuous_integration_installs_those_versions():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "pip install" in line and " -e " in line]
    assert len(installs) == 2 and all("$(CONSTRAINTS)" in line for line in installs)
    assert "CONSTRAINTS ?= -c requirements/constraints.txt" in makefile
