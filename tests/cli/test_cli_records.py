"""``--json`` of every command that embeds says by which model, engine and precision, and how faces were found."""

import json

import cv2
import pytest
from cli_run import run, tiny_model

from facepipe.images import write_rgb

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory, astronaut):
    """A model, photos of one person, a gallery and a store of them."""
    root = tmp_path_factory.mktemp("records")
    face = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    for name in ("a.png", "people/Ann/1.png", "people/Bo/1.png", "people/Bo/2.png"):
        write_rgb(root / name, face)
    model = ["-m", tiny_model(root / "tiny")]
    assert run("gallery", "build", root / "people", root / "g.parquet", *model).code == 0
    assert run("embed", root / "people", "-o", root / "s.parquet", *model).code == 0
    (root / "pairs.csv").write_text("a,b,same\nAnn/1.png,Bo/1.png,1\nAnn/1.png,Bo/2.png,0\n")
    return root, model


@pytest.mark.parametrize(
    "command",
    [
        "compare a.png people/Ann/1.png",
        "compare a.png people/Ann/1.png people/Bo/1.png",
        "find a.png people --threshold 0.5",
        "search a.png s.parquet --threshold 0.5",
        "identify a.png g.parquet --threshold 0.5",
        "embed people -o new.parquet",
        "gallery build people new-g.parquet",
        "gallery list g.parquet",
        "eval pairs people --pairs pairs.csv",
    ],
)
def test_records(world, monkeypatch, tmp_path_factory, command):
    root, model = world
    monkeypatch.chdir(root)
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path_factory.mktemp("cache")))
    named = [] if command == "gallery list g.parquet" else model
    ended = run(*command.split(), *named, "--json")
    assert ended.code == 0, ended.err
    value = json.loads(ended.out)
    [record] = {json.dumps(about, sort_keys=True): about for about in _abouts(value)}.values()
    assert record["model"].startswith("tiny@") and record["engine"] == "torch"
    assert record["precision"] in ("float32", "bfloat16")
    [finding] = record["findings"]
    assert (finding["detector"], finding["min_face"]) == ("mtcnn", 20)


def _abouts(value):
    """What stands of the making in each part of a JSON value."""
    names = ("model", "engine", "precision", "findings")
    if isinstance(value, dict):
        if "engine" in value:
            yield {name: value[name] for name in names}
        for part in value.values():
            yield from _abouts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _abouts(part)
