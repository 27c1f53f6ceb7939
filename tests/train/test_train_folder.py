"""The folder of a run: what lies there stays, and of its checkpoints the last good one is named."""

import json

import pytest
import torch
from safetensors.torch import save_file
from train_tiny import write_folders, write_recipe

from facepipe.files import OutputError
from facepipe.train import TrainingError, load_recipe
from facepipe.train.loop.collapse import last_good
from facepipe.train.recipe.file import save_recipe
from facepipe.train.run.folder import require_folder


def kept(run, step, **values):
    folder = run / "checkpoints" / f"step-{step:09d}"
    folder.mkdir(parents=True)
    save_file({"a": torch.zeros(1)}, folder / "state.safetensors", metadata={"facepipe": json.dumps(values)})


def test_after_a_divergence_the_last_good_checkpoint_is_named(tmp_path):
    assert last_good(tmp_path) == ""
    kept(tmp_path, 6, loss=1e6, first_loss=5.0)
    assert last_good(tmp_path) == (
        " (no checkpoint is good: step-000000006 has a loss of 1e+06, the first step had 5)"
    )
    kept(tmp_path, 3, loss=4.5, first_loss=5.0)
    assert last_good(tmp_path) == (
        " (step-000000003 is the last good one, with a loss of 4.5; remove step-000000006 with 1e+06)"
    )
    kept(tmp_path, 9, loss=-0.5, first_loss=0.1)
    assert last_good(tmp_path) == " (step-000000009 is good, with a loss of -0.5)"


@pytest.fixture
def recipe(tmp_path):
    data = write_folders(tmp_path / "faces")
    return load_recipe(str(write_recipe(tmp_path / "tiny.toml")), [f"data.paths=['{data}']"])


@pytest.mark.parametrize("name", ["recipe.toml", "weights.safetensors", "card.toml", "log.jsonl", "identities.txt"])
def test_existing_files_in_a_run_folder_are_kept(tmp_path, recipe, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("mine")
    with pytest.raises(TrainingError, match=f"{name}: exists already; choose another folder with run"):
        require_folder(recipe, tmp_path / "run", resume=False)


def test_a_run_without_a_model_can_be_started_again(tmp_path, recipe):
    run = tmp_path / "run"
    save_recipe(recipe, run / "recipe.toml")
    require_folder(recipe, run, resume=False)  # ended before its log was begun
    other = recipe.model_copy(update={"about": "another"})
    with pytest.raises(TrainingError, match=r"recipe\.toml: exists already"):
        require_folder(other, run, resume=False)
    (run / "log.jsonl").write_text('{"event": "start", "step": 0}\n')
    require_folder(other, run, resume=False)
    (run / "card.toml").write_text("mine")
    with pytest.raises(TrainingError, match="exists already"):
        require_folder(other, run, resume=False)


def test_a_run_folder_must_not_be_a_data_folder(tmp_path, recipe):
    (tmp_path / "link").symlink_to(tmp_path / "faces")
    for folder in (tmp_path / "faces", tmp_path / "link"):
        for resume in (False, True):
            with pytest.raises(OutputError, match="is also read as input"):
                require_folder(recipe, folder, resume)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        require_folder(recipe, file, False)
