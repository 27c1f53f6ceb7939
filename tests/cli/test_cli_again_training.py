"""Trainings, teachers and ablations, run again after what they are made of has changed."""

import shutil

import pytest
from changed_inputs import CHANGES, change
from cli_run import run
from train_tiny import crop, write_recipe

from facepipe.images import write_rgb
from facepipe.train.teacher import features

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

OTHER_DATA = ("trained on other data", "trained on other images with the same names")
SAME_DATA = ("renamed", "touched", "nothing")
"""Another name of the same crop in the same place, and another time, change nothing of what is learnt."""


def write_crops(root):
    for number in range(4):
        write_rgb(root / "AB"[number % 2] / f"{number}.bmp", crop(number % 2, number))
    return root


@pytest.fixture
def crops(tmp_path):
    return write_crops(tmp_path / "crops")


@pytest.fixture
def others():
    return [crop(0, number) for number in range(8, 13)]


def sets(*overrides):
    return [word for one in overrides for word in ("--set", one)]


SHORT = sets("schedule.length=2", "schedule.milestones=[]", "schedule.unit=steps", "loop.batch=4", "data.workers=1",
             "data.min_images=1")  # fmt: skip

WHOLE = sets("model.input_size=[112,112]", "data.fit=resize")
"""For models whose crops are cut of photos too."""


def train(crops, out, *more):
    recipe = write_recipe(crops.parent / "tiny.toml")
    return run("train", recipe, "-d", crops, "-o", out, "--device", "cpu", *SHORT, *more)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_refused(ended):
    assert ended.code == 2 and any(told in ended.err for told in OTHER_DATA), ended.err


@pytest.mark.parametrize("what", CHANGES)
def test_train(crops, others, tmp_path, what):
    out = tmp_path / "run"
    assert train(crops, out).code == 0
    change(crops, what, others)
    before = files(out)
    ended = run("train", "--resume", "-o", out, "--set", "schedule.length=3", "--device", "cpu", "--json")
    if what in SAME_DATA:
        assert ended.json["steps"] == 3
    else:
        check_refused(ended)
        assert files(out) == before


@pytest.mark.parametrize("what", CHANGES)
def test_teacher(crops, others, tmp_path, what, monkeypatch):
    """What a teacher said is kept by the contents of a crop: only other contents are asked for again."""
    asked, usual = [], features._embed
    assert train(crops, tmp_path / "teacher").code == 0
    monkeypatch.setattr(features, "_embed", lambda *args: (asked.extend(args[2]), usual(*args)))
    taught = sets(f"teacher.model={tmp_path / 'teacher'}", f"teacher.cache={tmp_path / 'kept'}")
    assert train(crops, tmp_path / "first", *taught).code == 0 and len(asked) == 4
    change(crops, what, others)
    asked.clear()
    assert train(crops, tmp_path / "second", *taught).code == 0
    assert len(asked) == (1 if what == "added" or "changed" in what else 0)


class Ablation:
    """Two rows on the crops; a benchmark over photos and a list of its own."""

    def __init__(self, folder, crops):
        self.out, self.photos = folder / "runs", write_crops(folder / "photos")
        self.list_pairs()
        plan, recipe = folder / "plan.toml", write_recipe(folder / "tiny.toml")
        rows = "".join(f'[rows.m{m}]\ntitle = "m = {m}"\nset = ["loss.m={m}"]\n' for m in (1, 4))
        plan.write_text(f'about = ""\nrecipe = "{recipe.as_posix()}"\n{rows}')
        pairs = f"mine=pairs '{self.photos}' --pairs '{self.photos / 'pairs.csv'}' --format csv --already-aligned"
        self.words = ["ablate", plan, pairs, "-d", crops, "-o", self.out, "--device", "cpu", *SHORT, *WHOLE,
                      "--json"]  # fmt: skip

    def list_pairs(self, last="A/2.bmp"):
        pairs = [f"A/0.bmp,{last},1", "B/1.bmp,B/3.bmp,1", "A/0.bmp,B/1.bmp,0", f"B/3.bmp,{last},0"]
        (self.photos / "pairs.csv").write_text("\n".join(["a,b,same", *pairs]) + "\n")

    def __call__(self, *more):
        ended = run(*self.words, *more)
        return ended, ended.err.count("saved in"), ended.err.count("is finished")


@pytest.fixture
def ablation(tmp_path, crops):
    made = Ablation(tmp_path, crops)
    ended, kept, finished = made()
    assert (ended.code, kept, finished) == (0, 0, 0), ended.err
    return made


def figures(ended):
    return [row["benchmarks"]["mine"]["accuracy"] for row in ended.json["rows"]]


@pytest.mark.parametrize("what", CHANGES)
def test_results_follow_the_photos_and_lists_of_their_benchmark(ablation, what):
    same = what in ("touched", "nothing")
    change(ablation.photos, what, [crop(1, number) for number in range(20, 25)])
    if what in ("deleted", "renamed"):
        assert "A/2" in ablation()[0].err, "the list names it still"
        ablation.list_pairs("A/8.bmp" if what == "renamed" else "A/0.bmp")
    if "same" in what:
        assert ablation()[1] == 2
    ended, kept, _ = ablation(*(["--verify"] if "same" in what else []))
    assert kept == (2 if same else 0), ended.err
    assert ("mine: since the last run: " in ended.err) == (not same)
    assert ablation()[1] == 2, "a third time nothing is left"
    shutil.rmtree(ablation.out / "results")
    assert figures(ablation()[0]) == figures(ended)


@pytest.mark.parametrize("what", CHANGES)
def test_rows_whose_data_have_changed_are_refused(ablation, crops, others, what):
    before = files(ablation.out)
    change(crops, what, others)
    ended, _, finished = ablation()
    if what in SAME_DATA:
        assert (ended.code, finished) == (0, 2), ended.err
    else:
        check_refused(ended)
    shutil.rmtree(crops)
    ended, _, finished = ablation()
    assert (ended.code, finished) == (0, 2), "nothing is left to train"
    assert ended.err.count("no longer exist and were not compared") == 2
    assert files(ablation.out) == before
