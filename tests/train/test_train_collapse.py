"""A run that learns nothing says so, while it runs and at its end; one that learns does not."""

import io
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from train_tiny import write_folders, write_recipe

from facepipe.train import resolve, train
from facepipe.train.loop.collapse import CollapseWatch


def watched(losses, accuracies=None, steps_per_epoch=5.0, every=2):
    watch, said = CollapseWatch(steps_per_epoch), []
    for number, loss in enumerate(losses):
        logged = {} if accuracies is None else {"accuracy": accuracies[number]}
        said += [(number, line) for line in watch.update(every * (number + 1), loss, logged)]
    return watch, said


def test_a_constant_loss_is_reported_once():
    watch, said = watched([7.0, 6.9, 6.8] + [math.log(1000)] * 30)
    assert said == [(12, "the loss is 6.90776 in each of the last 10 reports")]
    assert list(watch.signs()) == ["loss"]


@given(st.lists(st.floats(0.5, 12), min_size=10, max_size=40), st.integers(0, 2**32 - 1))
def test_a_changing_loss_is_not_reported(losses, seed):
    noise = np.random.default_rng(seed).uniform(1e-3, 2e-3, len(losses)) * np.where(np.arange(len(losses)) % 2, 1, -1)
    assert watched([loss * (1 + each) for loss, each in zip(sorted(losses), noise, strict=True)])[1] == []


def test_a_loss_that_stalls_again_is_reported_again():
    watch, said = watched([2.0] * 12 + [1.5] + [1.0] * 12)
    assert [number for number, _ in said] == [9, 22]
    watch.update(99, 0.5, {})
    assert watch.signs() == {}


def test_zero_accuracy_after_an_epoch():
    losses = np.linspace(9, 8, 20)
    assert watched(losses, [0.0] * 20)[1] == [(9, "the accuracy was 0 in each of the last 10 reports")]
    assert watched(losses, [0.0] * 20, steps_per_epoch=1000)[1] == [], "within the first epoch that says nothing"
    assert watched(losses, [0.0] * 9 + [0.1] + [0.0] * 9 + [0.1])[1] == []


@pytest.mark.parametrize(("figures", "told"), [
    ({"lfw": 0.5, "lfw_error": 0.01}, "lfw is 0.5000, no better than chance"),
    ({"held_out_accuracy": 0.5, "held_out_tar_1e-2": 0.0}, "held_out_accuracy is 0.5000, no better than chance"),
    ({"lfw": 0.51}, ""),
    ({"held_out_accuracy": math.nan}, ""),
])
def test_an_evaluation_no_better_than_chance(figures, told):
    signs = CollapseWatch(5.0).evaluated(figures)
    assert signs[0].startswith(told) if told else signs == []


def run(tmp_path, accuracy):
    data = write_folders(tmp_path / "faces")
    recipe, folder = resolve(write_recipe_path(tmp_path), tmp_path / "run", [data], ("evaluate.every=4",), False)
    screen = io.StringIO()
    console = Console(file=screen, width=500)
    summary = train(recipe, folder, evaluation=lambda *_: lambda _: {"lfw": accuracy}, console=console)
    said = screen.getvalue().splitlines()
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return summary, said, [event for event in events if event["event"] == "collapse"]


def write_recipe_path(tmp_path):
    write_recipe(tmp_path / "tiny.toml")
    return str(tmp_path / "tiny.toml")


def test_in_a_run(tmp_path, one_thread):
    summary, said, events = run(tmp_path, 0.5)
    line = next(line for line in said if "may not be learning" in line)
    assert line.startswith("step 4: the run may not be learning: lfw is 0.5000")
    assert len(events) == 1 and "chance" in events[0]["sign"]
    assert summary["collapsed"] == ["lfw is 0.5000, no better than chance"]
    assert any(note.startswith("the run learned nothing: lfw is 0.5000") for note in summary["notes"])


def test_in_a_run_that_learns(tmp_path, one_thread):
    summary, said, events = run(tmp_path, 0.8)
    assert "collapsed" not in summary and events == [] and not any("may not be learning" in line for line in said)
