"""A head trained by two processes: class centres shared out, and the weights of one process."""

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from test_train_heads import HEAD, centres_of
from test_train_ranks import launch
from train_tiny import write_folders, write_recipe

from facepipe.train import resolve, train
from facepipe.zoo import load

QUIET = Console(quiet=True)


@pytest.mark.slow
def test_two_ranks_train_the_head_of_one(tmp_path):
    """`paper`, which has no batch norm: its batches are each rank's own."""
    data = write_folders(tmp_path / "faces", identities=6, images=5)
    recipe, backbone = resolve(str(write_recipe(tmp_path / "tiny.toml")), tmp_path / "backbone", [data], [], False)
    train(recipe, backbone, device="cpu", console=QUIET)
    path = tmp_path / "head.toml"
    path.write_text(HEAD.format(head="paper", backbone=backbone, loss="scf", images=1))
    alone = resolve(str(path), tmp_path / "alone", [data], [], False)
    train(*alone, device="cpu", console=QUIET)
    launch(2, "train", path, data, tmp_path / "both")
    torch.testing.assert_close(centres_of(tmp_path / "both"), centres_of(tmp_path / "alone"), rtol=1e-5, atol=1e-6)
    ours, theirs = (load_file(tmp_path / name / "weights.safetensors") for name in ("both", "alone"))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-5)
    assert load(tmp_path / "both").head.kind == "kappa"
