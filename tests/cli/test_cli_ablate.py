"""``facepipe ablate``: the rows, the table, what is not done twice, and what is refused."""

import json
import os
import pickle
import re
import signal
import tomllib

import numpy as np
import pytest
import torch
from cli_run import refused, run, tiny_model
from safetensors.torch import load_file
from train_tiny import write_folders
from verification_folders import crop, other_model, write_crops, write_pairs

from facepipe.images import encode_rgb
from facepipe.train import RecipeError, load_recipe
from facepipe.train.ablation import load_ablation, shipped_ablations
from facepipe.train.loop.trainer import Trainer
from facepipe.zoo import load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

PEOPLE = 5
QUICK = (
    "schedule.warmup=0", "schedule.length=6", "loop.batch=8", "loop.checkpoint_every=2", "loop.log_every=2",
    "data.held_out=2", "data.workers=1", "evaluate.fars=[0.1]", "uncertainty.options.hidden=8",
)  # fmt: skip
ROWS = {"base": "base", "mls": "MLS only", "l1-triplet": "+ L1 + triplet", "probface": "ProbFace"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_folders(tmp_path_factory.mktemp("faces") / "faces", identities=6, images=5, size=(112, 96))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("backbone") / "tiny")


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    names = {f"p{person}/{image}.png": (person, image) for person in range(PEOPLE) for image in range(4)}
    return write_crops(tmp_path_factory.mktemp("crops"), names)


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("lists") / "pairs.csv", PEOPLE)


@pytest.fixture(scope="module")
def agedb(tmp_path_factory):
    """Ten pairs in insightface's form, under the name that the published column has there."""
    pairs = [((p, 0), (p, 1)) for p in range(5)] + [((p, 2), ((p + 1) % 5, 3)) for p in range(5)]
    images = [encode_rgb(crop(*one), ".png") for pair in pairs for one in pair]
    same = [number < 5 for number in range(10)]
    order = [number // 2 + 5 * (number % 2) for number in range(10)]
    path = tmp_path_factory.mktemp("bins") / "agedb_30.bin"
    images = [images[2 * number + side] for number in order for side in (0, 1)]
    path.write_bytes(pickle.dumps((images, [same[number] for number in order])))
    return path


def sets(*overrides):
    return [word for one in overrides for word in ("--set", one)]


@pytest.fixture
def words(data, backbone, crops, listed, agedb):
    mine = f"mine=pairs '{crops}' --pairs '{listed}' --already-aligned"
    return ["ablate", "probface", agedb, mine, "-d", data, "--device", "cpu",
            *sets(*QUICK, f"uncertainty.backbone={backbone}")]  # fmt: skip


def accuracy(told):
    return {row["row"]: {name: one["accuracy"] for name, one in row["benchmarks"].items()} for row in told["rows"]}


def widest(weights):
    """The largest number of inputs that a layer of the head has."""
    return max(weight.shape[1] for name, weight in weights.items() if name.startswith("head.") and weight.ndim == 2)


def test_one_command_trains_evaluates_and_prints_the_published_columns(words, tmp_path, backbone, crops, listed, agedb):
    out = tmp_path / "runs"
    ended = run(*words, "-o", out)
    assert ended.code == 0, ended.err
    told = run(*words, "-o", out, "--json").json
    assert {row["row"]: row["title"] for row in told["rows"]} == ROWS and list(ROWS) == [r["row"] for r in told["rows"]]

    # What each row was trained with: facts C6, written out.
    parts = {"mls": (0, 0, False), "l1-triplet": (0.001, 0.001, False), "probface": (0.001, 0.001, True)}
    for name, expected in parts.items():
        saved = tomllib.loads((out / name / "recipe.toml").read_text())
        got = (saved["loss"]["constraint"], saved["loss"]["triplet"], saved["uncertainty"]["options"]["fusion"])
        assert got == expected and saved["loss"]["mls"] == 1, name
    assert not (out / "base").exists()
    widths = {name: widest(load_file(out / name / "weights.safetensors")) for name in parts}
    assert widths["mls"] == widths["l1-triplet"] < widths["probface"]

    # The figures are those that the protocols give by themselves.
    for row in told["rows"]:
        model, score = row["run"] or backbone, "cosine" if row["row"] == "base" else "mls"
        assert row["score"] == score
        alone = [
            run("eval", "bin", agedb, "-m", model, "--score", score, "--json").json["accuracy"],
            run("eval", "pairs", crops, "--pairs", listed, "--already-aligned", "-m", model, "--score", score,
                "--json").json["accuracy"],
        ]  # fmt: skip
        assert [one["accuracy"] for one in row["benchmarks"].values()] == alone
        assert row["mean"] == pytest.approx(np.mean(alone), abs=1e-12)
        assert row["model"] == load(model).identity

    columns = ["LFW", "CFP-FF", "CALFW", "AgeDB", "CPLFW", "CFP-FP", "VGG2-FP", "mine", "mean"]
    lines = [re.split(r"  +", line.strip()) for line in ended.out.splitlines()]
    start = lines.index(columns)
    for cells, row in zip(lines[start + 1 : start + 5], told["rows"], strict=True):
        shown = [f"{100 * value:.2f}" for value in (*accuracy(told)[row["row"]].values(), row["mean"])]
        assert cells == [row["title"], "–", "–", "–", shown[0], "–", "–", "–", shown[1], shown[2]]


def test_nothing_is_done_twice(words, tmp_path, monkeypatch, backbone):
    out = tmp_path / "runs"
    first = run(*words, "-o", out, "--json").json
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    monkeypatch.setattr("facepipe.train.train", None)
    monkeypatch.setattr("facepipe.cli.eval.benchmark.Benchmark.measure", None)
    again = run(*words, "-o", out, "--json")
    assert again.json == first and again.err.count("is finished") == 3 and again.err.count("saved in") == 8
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
    monkeypatch.undo()

    (out / "results" / "AgeDB" / "mls.json").write_text("{")
    shorter = [word.replace(" --already-aligned", " --already-aligned --rule sphereface") if "mine=" in str(word)
               else word for word in words]  # fmt: skip
    third = run(*shorter, "-o", out, "--json")
    assert third.err.count("saved in") == 3, "a damaged result and those of another command are measured anew"
    assert accuracy(third.json)["mls"]["AgeDB"] == accuracy(first)["mls"]["AgeDB"]
    compared = run("eval", "compare", *(out / "results" / "AgeDB" / f"{name}.json" for name in ROWS), "--json").json
    assert [test["mcnemar"]["p"] <= 1 for test in compared["against_first"]] == [True] * 3


def test_stopped_it_goes_on_to_the_same_weights(words, tmp_path, monkeypatch):
    whole = run(*words, "-o", tmp_path / "whole", "--json").json
    step, seen = Trainer.step, []

    def interrupted(self, number, batches):
        seen.append(number)
        if len(seen) == 9:  # the third step of the second head
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, number, batches)

    monkeypatch.setattr(Trainer, "step", interrupted)
    out = tmp_path / "stopped"
    ended = run(*words, "-o", out, "--json")
    assert ended.code == 130 and ended.out == ""
    assert "stopped after step 3 of 6 and saved; run the same command again to continue" in ended.err
    assert (out / "mls" / "card.toml").is_file() and not (out / "probface").exists()
    again = run(*words, "-o", out, "--json").json
    assert len(seen) == 18, "nine steps were left of eighteen"
    assert accuracy(again) == accuracy(whole)
    for name in ("mls", "l1-triplet", "probface"):
        ours, theirs = (load_file(tmp_path / run / name / "weights.safetensors") for run in ("whole", "stopped"))
        assert all(torch.equal(ours[key], theirs[key]) for key in ours | theirs)


def test_a_backbone_that_changed_is_noticed(words, tmp_path):
    base = tiny_model(tmp_path / "base")
    words = [*words, *sets(f"uncertainty.backbone={base}"), "-o", tmp_path / "runs"]
    assert run(*words).code == 0
    for path in base.iterdir():
        path.unlink()
    base.rmdir()
    other_model(base)
    assert refused(*words).startswith(f"{tmp_path}/runs/mls: its head was trained on a backbone other than other@")


def test_rows_of_ones_own(tmp_path, data, crops, listed):
    """An ablation of a backbone's loss, without heads: all rows by cosine."""
    path = tmp_path / "margins.toml"
    path.write_text('about = "margins"\nrecipe = "sphereface4-small"\n[rows.m1]\ntitle = "m = 1"\n'
                    'set = ["loss.m=1"]\n[rows.m4]\ntitle = "m = 4"\n')  # fmt: skip
    words = ["ablate", path, f"mine=pairs '{crops}' --pairs '{listed}' --already-aligned", "-d", data]
    quick = ["schedule.length=2", "schedule.unit=steps", "schedule.milestones=[]", "schedule.warmup=0", "loop.batch=8",
             "model.options.width=0.125", "data.held_out=2", "loop.precision=float32"]  # fmt: skip
    told = run(*words, *sets(*quick), "-o", tmp_path / "runs", "--json").json
    assert [(row["title"], row["score"]) for row in told["rows"]] == [("m = 1", "cosine"), ("m = 4", "cosine")]
    losses = [tomllib.loads((tmp_path / "runs" / name / "recipe.toml").read_text())["loss"] for name in ("m1", "m4")]
    assert [loss.get("m") for loss in losses] == [1, None]
    path.write_text(path.read_text() + "trained = false\n")
    message = refused(*words, *sets(*quick), "-o", tmp_path / "other")
    assert message == "row m4: is not trained, and sphereface4-small names no backbone to use"


@pytest.mark.parametrize("recipe", ["probface-small", "probface-resface64"])
def test_the_shipped_rows_fit_both_recipes(recipe):
    plan = load_ablation("probface")
    assert shipped_ablations() == ["probface"] and plan.recipe == "probface-small"
    assert [row.title for row in plan.rows.values()] == list(ROWS.values())
    whole = load_recipe(recipe)
    # The released runs are named after L1, the released configuration has L2.
    released = load_recipe(recipe, plan.rows["probface"].set)
    assert released == load_recipe(recipe, ["loss.norm=l1"])
    assert (whole.loss.options["norm"] == "l2") == (recipe == "probface-resface64")
    assert whole.loss.options["constraint"] and whole.loss.options["triplet"] and whole.uncertainty.options["fusion"]
    plain = load_recipe(recipe, plan.rows["mls"].set)
    assert plain.loss.options == whole.loss.options | {"constraint": 0, "triplet": 0}
    assert load_recipe(recipe, plan.rows["l1-triplet"].set).loss == released.loss


def test_list():
    assert "probface-small" in run("ablate", "--list").out
    assert list(run("ablate", "--list", "--json").json["probface"]["rows"]) == list(ROWS)


@pytest.mark.parametrize(
    ("benchmarks", "message"),
    [
        ([], "ablation probface: give a benchmark, such as an insightface .bin file; see --help"),
        (["gone.bin"], "gone.bin: no such file; insightface's validation sets are named like lfw.bin"),
        (["lfw"], "benchmark lfw: must be FILE.bin, or NAME='PROTOCOL ...' with arguments of 'facepipe eval' and a"),
        (["LFW=ijb x"], "a protocol from lfw, cfp, pairs, bin, ytf"),
        (["LFW=lfw x"], "benchmark LFW: eval lfw: Missing option '--pairs'"),
        (["LFW=lfw x --pairs y --modle z"], "benchmark LFW: eval lfw: No such option '--modle'"),
        (["LFW=lfw x --pairs y -m z"], "benchmark LFW: remove --model"),
        (["LFW=lfw x --pairs y --score scf"], "benchmark LFW: remove --score"),
        (["A=bin x.bin --embeddings y"], "benchmark A: remove --embeddings"),
        (["A=lfw 'x"], "benchmark A=lfw 'x: no closing quotation"),
        (["../x=lfw x --pairs y"], "its name may only contain letters, digits"),
        (["A=lfw x --pairs y", "A=lfw z --pairs y"], "benchmark A: given twice"),
    ],
)
def test_bad_benchmarks_end_before_anything_is_read(benchmarks, message):
    assert message in refused("ablate", "probface", *benchmarks)


def test_other_bad_requests(words, tmp_path, backbone, monkeypatch):
    assert refused("ablate") == "no ablation given; choose one (facepipe ablate --list shows them)"
    assert refused("ablate", "probfaec").startswith("probfaec: no such ablation; did you mean 'probface'?")
    assert "uncertainty.backbone is empty" in refused(*words, "-o", tmp_path / "x", "--set", "uncertainty.backbone=")
    message = refused("ablate", "probface", words[2], "--recipe", "probface-resface64", "-o", tmp_path / "x")
    assert message.startswith("uncertainty.backbone is empty"), "which the recipe asked for leaves to its user"
    assert "unknown field loop.batchsize" in refused(*words, "-o", tmp_path / "x", "--set", "loop.batchsize=3")
    without = [word for place, word in enumerate(words) if word != "-d" and words[place - 1] != "-d"]
    assert refused(*without, "-o", tmp_path / "x").startswith("no training data: name it with --data or as data.paths")
    assert "no such training data" in refused(*without, "-d", "gone", "-o", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "ablate runs in one process" in refused(*words)
    for text, message in [
        ("about = 1", "about: input should be a valid string"),
        ('about = ""\nrecipe = ""\n[rows]', "rows: dictionary should have at least 1 item"),
        ('about = ""\nrecipe = ""\n[rows.A]\ntitle = ""', "rows.A: string should match pattern"),
        ('about = ""\nrecipe = ""\n[rows.a]\ntitle = ""\nsets = []', "rows.a.sets: unknown field"),
    ]:
        (tmp_path / "own.toml").write_text(text)
        with pytest.raises(RecipeError) as caught:
            load_ablation(str(tmp_path / "own.toml"))
        assert str(caught.value).startswith(f"{tmp_path / 'own.toml'}: ") and message in str(caught.value)


def test_an_earlier_ablation_with_another_recipe_is_left_alone(words, tmp_path):
    out = tmp_path / "runs"
    (out / "mls").mkdir(parents=True)
    run("train", "probface-small", *words[4:], "-o", out / "mls")
    assert json.loads((out / "mls" / "log.jsonl").read_text().splitlines()[-1])["event"] == "finished"
    message = refused(*words, "-o", out)
    assert message.startswith(f"{out / 'mls'}: started with another recipe (loss.constraint")
