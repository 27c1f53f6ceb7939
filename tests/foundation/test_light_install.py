"""requirements/light.txt is what facepipe depends on, without PyTorch and with an engine in its place."""

import tomllib
from pathlib import Path

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
