"""What a training says is lines of the log, as of every other command; and how one ends that diverges."""

import json

import pytest
from cli_run import run
from train_tiny import write_folders, write_recipe

SHORT = "schedule.unit=steps", "schedule.milestones=[]", "schedule.length=4", "data.held_out=0"


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return write_folders(tmp_path_factory.mktemp("notes") / "crops", 3, 4)


def train(crops, folder, options=()):
    settings = [word for one in SHORT for word in ("--set", one)]
    begun = write_recipe(folder / "r.toml"), "-d", crops
    return run(*options, "train", *begun, "-o", folder / "run", "--device", "cpu", *settings)


def test_every_line_of_a_training_is_of_the_log(crops, tmp_path):
    ended = train(crops, tmp_path, options=("--log-format", "json"))
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert ended.code == 0 and any("run: starts; 12 images" in line["message"] for line in lines)
    assert {line["level"] for line in lines} == {"info"}


def test_a_training_says_no_less_than_what_is_asked_for(crops, tmp_path):
    assert (lambda ended: (ended.code, ended.err))(train(crops, tmp_path, options=("--log-level", "error"))) == (0, "")


def test_a_name_in_a_training_does_nothing_to_a_terminal(crops, tmp_path):
    (tmp_path / "\x1b[31mred").mkdir()
    ended = train(crops, tmp_path / "\x1b[31mred")
    assert ended.code == 0 and "\\x1b[31mred/run: starts" in ended.err and "\x1b" not in ended.err


def test_a_training_that_diverges_names_the_last_good_checkpoint(crops, tmp_path):
    assert train(crops, tmp_path).code == 0
    changed = ["--set", "schedule.length=40", "--set", "optimiser.lr=1e12"]
    ended = run("train", "--resume", "-o", tmp_path / "run", "--device", "cpu", *changed)
    told = ended.err.splitlines()[-1]
    assert ended.code == 2 and "is not finite at step" in told and "step-000000004" in told
