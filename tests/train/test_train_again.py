"""A resumed run, and what is kept of teachers and frozen layers, after the crops were changed."""

import hashlib
import os

import numpy as np
import pytest
import torch
from rich.console import Console
from train_tiny import crop, encoded, write_folders, write_recipe

from facepipe import backbones
from facepipe.datasets import open_samples
from facepipe.train import TrainingError, load_recipe, resolve, train
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.recipe.schema import Augment
from facepipe.train.run.card import write_model
from facepipe.train.teacher import features
from facepipe.train.trunk.kept_maps import cache_name
from facepipe.zoo import CardSource, load

ALONE = Ranks(0, 1, 1, torch.device("cpu"))
QUIET = Console(quiet=True)
CHANGES = ("added", "changed", "deleted", "renamed", "touched", "nothing")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def data(tmp_path):
    return write_folders(tmp_path / "faces", identities=3, images=4)


def change(data, what):
    *_, last = sorted(path for path in data.rglob("*") if path.is_file())
    status = last.stat()
    if what == "added":
        last.with_name("zz.png").write_bytes(encoded(crop(40, 0)))
    elif what == "changed":
        last.write_bytes(encoded(crop(40, 1)))
        os.utime(last, ns=(0, status.st_mtime_ns))
    elif what == "deleted":
        last.unlink()
    elif what == "renamed":
        last.rename(last.with_name("zz.png"))
    elif what == "touched":
        os.utime(last, ns=(0, 0))


@pytest.mark.parametrize("what", CHANGES)
def test_resume(tmp_path, data, what):
    """Another name of the same crop in the same place changes nothing, nor does another time."""
    recipe = str(write_recipe(tmp_path / "tiny.toml"))
    short = ["schedule.length=2", "schedule.milestones=[]", "schedule.unit=steps", "loop.checkpoint_every=2"]
    begun, run = resolve(recipe, tmp_path / "run", [data], short, False)
    train(begun, run, device="cpu", console=QUIET)
    change(data, what)
    again, _ = resolve(None, run, [], ["schedule.length=3"], True)
    if what in ("added", "changed", "deleted"):
        with pytest.raises(TrainingError, match=r"trained on other (data|images with the same names)"):
            train(again, run, resume=True, device="cpu", console=QUIET)
    else:
        assert train(again, run, resume=True, device="cpu", console=QUIET)["steps"] == 3


@pytest.mark.parametrize("what", CHANGES)
def test_teachers_features(tmp_path, data, what, monkeypatch):
    torch.manual_seed(3)
    model = load_recipe(recipe := str(write_recipe(tmp_path / "teacher.toml"))).model
    net = backbones.create(model.backbone, input_size=model.input_size, embedding_dim=8, **model.options)
    write_model(tmp_path / "teacher", net, load_recipe(recipe), [], CardSource(licence="CC0"))
    name = str(tmp_path / "teacher")

    def ask(folder):
        samples = open_samples([data])
        return features.teacher_features(name, load(name).card, samples, folder, "middle", ALONE, QUIET)

    ask(tmp_path / "kept")
    change(data, what)
    asked = []
    usual = features._embed
    monkeypatch.setattr(features, "_embed", lambda *args: (asked.extend(args[2]), usual(*args)))
    found = ask(tmp_path / "kept")
    assert len(asked) == (1 if what in ("added", "changed") else 0)
    assert np.allclose(found, ask(tmp_path / "fresh"), atol=1e-3)


@pytest.mark.parametrize("what", CHANGES)
def test_maps_of_frozen_layers(data, what):
    """Other crops are kept in another folder; a name of a folder is a hash of what is in it."""

    def name():
        return cache_name(open_samples([data]), Augment(), 0, b"")

    before = name()
    change(data, what)
    assert (name() == before) == (what in ("renamed", "touched", "nothing"))


def test_cached_maps_are_found_after_a_renaming(data):
    """The hash takes fields by their former names, so maps cached by earlier versions are found."""
    augment = Augment(inpaint=0.5)
    fields = augment.model_dump_json().replace('"inpaint":', '"fill":')
    digest = hashlib.sha256(f"{fields}\n3\n".encode() + b"layers")
    samples = open_samples([data])
    for index in range(len(samples)):
        digest.update(hashlib.blake2b(samples.read(index), digest_size=8).digest())
    assert cache_name(samples, augment, 3, b"layers") == digest.hexdigest()[:24]
