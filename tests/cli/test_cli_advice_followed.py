"""What a message advises is done word for word, and then the command works."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_run import run, tiny_model
from train_tiny import write_recipe
from verification_folders import write_crops, write_pairs

from facepipe.images import write_rgb

pytestmark = pytest.mark.slow
SHORT = [word for one in ("model.input_size=[112,96]", "schedule.unit=steps", "schedule.length=1", "data.workers=1",
                          "schedule.milestones=[]", "loop.batch=4") for word in ("--set", one)]  # fmt: skip


@pytest.fixture(scope="module")
def stock(tmp_path_factory, astronaut):
    """A model, photos of three people, crops of four, lists of pairs."""
    root = tmp_path_factory.mktemp("stock")
    face = cv2.resize(astronaut[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)
    tiny_model(root / "tiny")
    for number, name in enumerate(("ada", "bo", "cy")):
        write_rgb(root / "photos" / name / "1.png", np.roll(face, 5 * number, 1))
    write_rgb(root / "two.png", np.concatenate([face, np.ascontiguousarray(face[:, ::-1])], 1))
    names = {f"p{person}/{image}.png": (person, image) for person in range(4) for image in range(4)}
    write_crops(root / "crops", names)
    write_crops(root / "splits", {f"{part}/p{person}/{image}.png": (person, image) for part in ("train", "test")
                                  for person in range(4) for image in range(2)})  # fmt: skip
    write_pairs(root / "pairs.csv", 4)
    pairs = "p0/0.png,p0/1.png,1", "p0/0.png,p1/0.png,0", "p1/0.png,p1/1.png,1", "p2/0.png,p1/0.png,0"
    (root / "bare.csv").write_text("\n".join(pairs) + "\n")
    lfw = "Ann 1 2\nAnn 1 Bo 1\nAnn 2 Bo 2\nBo 1 2\n"
    (root / "lfw.txt").write_text(lfw)
    people = enumerate(("Ann", "Bo"))
    write_crops(root / "lfw", {f"{name}/{name}_000{n}.png": (number, n) for number, name in people for n in (1, 2)})
    return root


CASES = {
    "a gallery that is not there": (
        ["identify", "photos/ada/1.png", "g.parquet", "-m", "tiny", "--threshold", "0.5"],
        "facepipe gallery build DIR g.parquet",
        [["gallery", "build", "photos", "g.parquet", "-m", "tiny"], None],
    ),
    "a store that is not there": (
        ["search", "photos/ada/1.png", "s.parquet", "-m", "tiny", "--threshold", "0.5"],
        "facepipe embed IMAGES -o s.parquet",
        [["embed", "photos", "-o", "s.parquet", "-m", "tiny"], None],
    ),
    "a folder in the place of a gallery": (
        ["gallery", "list", "photos"],
        "facepipe gallery build photos OUT",
        [["gallery", "build", "photos", "out.parquet", "-m", "tiny"], ["gallery", "list", "out.parquet"]],
    ),
    "a list without headings": (
        ["eval", "pairs", "crops", "--pairs", "bare.csv", "--already-aligned", "-m", "tiny", "--format", "csv"],
        "use --format lines",
        [["eval", "pairs", "crops", "--pairs", "bare.csv", "--already-aligned", "-m", "tiny", "--format", "lines"]],
    ),
    "LFW's pairs in another order": (
        ["eval", "lfw", "lfw", "--pairs", "lfw.txt", "--already-aligned", "-m", "tiny"],
        "for lists in another order see 'facepipe eval pairs'",
        [["eval", "pairs", "lfw", "--pairs", "lfw.txt", "--already-aligned", "-m", "tiny"]],
    ),
    "an image that is missing": (
        ["eval", "pairs", "few", "--pairs", "pairs.csv", "--already-aligned", "-m", "tiny"],
        "--on-miss skip leaves their pairs out",
        [["eval", "pairs", "few", "--pairs", "pairs.csv", "--already-aligned", "-m", "tiny", "--on-miss", "skip"]],
    ),
    "other settings than before": (
        ["preprocess", "crops", "cut", "--already-aligned", "--format", "png"],
        "--overwrite to start over",
        [["preprocess", "crops", "cut", "--already-aligned", "--format", "png", "--overwrite"]],
    ),
    "a run that is there": (
        ["train", "r.toml", "-d", "crops", "-o", "run", "--device", "cpu", *SHORT],
        "resume it with --resume",
        [["train", "-o", "run", "--device", "cpu", "--resume"]],
    ),
    "too few pairs for a threshold": (
        ["identify", "photos/ada/1.png", "known.parquet", "-m", "tiny", "--fpir", "1e-9"],
        "or set --threshold",
        [["identify", "photos/ada/1.png", "known.parquet", "-m", "tiny", "--threshold", "0.5"]],
    ),
    "nobody so deep": (
        ["inspect", "angles", "c.parquet", "--identity-depth", "7"],
        "see --identity-depth",
        [["inspect", "angles", "c.parquet", "--identity-depth", "1"]],
    ),
}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", CASES)
def test_advice_is_followed(stock, tmp_path, monkeypatch, name):
    shutil.copytree(stock, tmp_path / "at")
    monkeypatch.chdir(tmp_path / "at")
    prepare(name)
    words, advice, then = CASES[name]
    refused = run(*words)
    assert refused.code == 2 and advice in refused.err, refused.err
    for line in then:
        ended = run(*(words if line is None else line))
        assert ended.code == 0, ended.err


def prepare(name):
    """What must have been done before the command is refused."""
    if name == "an image that is missing":
        shutil.copytree("crops", "few")
        shutil.rmtree("few/p0")
    elif name == "other settings than before":
        assert run("preprocess", "crops", "cut", "--already-aligned").code == 0
    elif name == "a run that is there":
        write_recipe(Path("r.toml"))
        assert run(*CASES[name][0]).code == 0
    elif name == "too few pairs for a threshold":
        assert run("gallery", "build", "photos", "known.parquet", "-m", "tiny").code == 0
    elif name == "nobody so deep":
        assert run("embed", "crops", "-o", "c.parquet", "-m", "tiny", "--already-aligned").code == 0


def test_a_remark_on_folders_is_followed(stock, tmp_path):
    """It says a number, and with that number there is no remark and the people are whole."""
    told = run("preprocess", stock / "splits", tmp_path / "a", "--already-aligned", "--json")
    assert "use --identity-depth 2" in told.err and told.json["identities"] == 2
    then = run("preprocess", stock / "splits", tmp_path / "b", "--already-aligned", "--identity-depth", 2, "--json")
    assert "identity-depth" not in then.err and then.json["identities"] == 4


def test_several_faces_are_chosen_among(stock):
    words = ["compare", stock / "two.png", stock / "photos" / "ada" / "1.png", "-m", stock / "tiny", "--threshold", 0.5]
    assert "choose with --faces" in run(*words).err
    assert {run(*words, "--faces", rule).code for rule in ("largest", "centre", "best")} <= {0, 1}
