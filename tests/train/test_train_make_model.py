"""``make model``, the whole of it, with a tiny teacher and tiny data: the commands are those of the Makefile."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_run import run
from test_train_narrow import SIZE, mobilenet
from train_tiny import crop, encoded, write_recipe, write_shard

from facepipe.embedding import Embedder
from facepipe.train.recipe.file import load_recipe
from facepipe.train.run.card import write_model
from facepipe.zoo import CardSource, load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
ROOT = Path(__file__).parents[2]

STUDENT = (
    "model.options={width=0.25}", f"model.input_size=[{SIZE[0]},{SIZE[1]}]", "model.embedding_dim=8",
    "schedule.length=6", "schedule.warmup=2", "loop.batch=10", "data.held_out=3", "strangers.held_out={utk=12}",
    "evaluate.fars=[0.1]", "freeze.views=3",
)  # fmt: skip
HEAD = ("schedule.length=4", "schedule.unit=steps", "schedule.warmup=1", "loop.batch=8", "data.held_out=3",
        "data.min_images=2", "evaluate.fars=[0.1]")  # fmt: skip


def makefile_commands(**variables):
    """What ``make model`` would run, as lists of words after ``facepipe``."""
    words = [f"{name}={value}" for name, value in variables.items()]
    # The environment counts as set up, whether it is or not. A make that runs these tests would speak through this one.
    calm = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    told = subprocess.run(
        ["make", "-n", "-o", ".venv/dev.installed", "VENV=.venv", "model", *words],
        cwd=ROOT, env=calm, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    lines = [shlex.split(line) for line in told.replace("\\\n", " ").splitlines()]
    assert all(line[0] == ".venv/bin/facepipe" for line in lines), told
    return [line[1:] for line in lines]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_model_makes_a_model_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    recipe = load_recipe(str(write_recipe(tmp_path / "teacher.toml")))
    model = recipe.model.model_copy(update={"backbone": "mobilenet", "options": {"width": 0.25}, "input_size": SIZE})
    write_model(tmp_path / "teacher", mobilenet(0.25), recipe.model_copy(update={"model": model}), [], CardSource())
    for folder in ("crops", "more"):
        (tmp_path / folder).mkdir()
    people = [(f"{p}-{i}", encoded(crop(p, i, SIZE)), {"identity": str(p), "yaw": 40 * (i == 0)})
              for p in range(9) for i in range(4)]  # fmt: skip
    write_shard(tmp_path / "crops" / "a.tar", people)
    abouts = [{"source": "utk", "origin": "black", "sex": "fm"[i % 2], "age": 30} for i in range(24)]
    others = [(str(i), encoded(crop(90 + i, 0, SIZE)), about) for i, about in enumerate([*abouts, {"source": "fiw"}])]
    write_shard(tmp_path / "more" / "b.tar", others)

    def settings(*given):
        return " ".join(f"--set {shlex.quote(one)}" for one in given)

    commands = makefile_commands(
        CROPS=tmp_path / "crops", MORE=tmp_path / "more", RUNS=tmp_path / "runs",
        STUDENT=settings(f"teacher.model={tmp_path / 'teacher'}", *STUDENT), HEAD=settings(*HEAD),
        CALIBRATE="--held-out 3 --held-out-images utk=12 --far 0.5",
    )  # fmt: skip
    assert [words[0] for words in commands] == ["train", "train", "models", "calibrate"]
    for words in commands:
        done = run(*words)
        assert done.code == 0, done.err
    made = load(tmp_path / "runs" / "export" / "facepipe-mobilenet.toml")
    pixels = np.stack([crop(p, 9, SIZE) for p in range(3)])
    embeddings = Embedder(made, precision="float32")(pixels)
    assert made.card.name == "facepipe-mobilenet" and embeddings.kappa is not None
    assert {threshold.score for threshold in made.card.thresholds} == {"cosine", "scf"}
    assert {threshold.population for threshold in made.card.thresholds} == {"random", "alike"}
    assert "12 strangers" in made.card.thresholds[0].calibrated_on
    student = load(tmp_path / "runs" / "student")
    assert embeddings.mu == pytest.approx(Embedder(student, precision="float32")(pixels).mu, abs=1e-3)
    weights = made.network.state_dict()["fc.weight"]
    assert torch.equal(weights, weights.half().float())  # stored in 16 bits
    # Once more: nothing is trained again.
    before = (tmp_path / "runs" / "student" / "log.jsonl").read_text()
    assert run(*commands[0]).code == 0
    after = (tmp_path / "runs" / "student" / "log.jsonl").read_text()
    assert '"train"' not in after[len(before) :]
