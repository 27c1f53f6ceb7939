"""What a resumed run changes is said, kept, and refused where it would make the record untrue; people left out."""

import unicodedata

import numpy as np
import pytest
from pydantic import ValidationError
from train_tiny import write_shard

from facepipe.datasets import open_samples
from facepipe.datasets.samples.recordio import write_recordio
from facepipe.datasets.samples.samples import contents_digest, same_contents
from facepipe.errors import DatasetError
from facepipe.images import write_rgb
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.recipe.file import load_recipe, save_recipe
from facepipe.train.recipe.schema import Data
from facepipe.train.run.changes import changes_of

NFC, NFD = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))


@pytest.fixture
def saved(tmp_path):
    recipe = load_recipe("sphereface4-small")
    history = ["from step 3 on: optimiser.lr: 1 → 2"]
    save_recipe(recipe.model_copy(update={"history": history}), tmp_path / "recipe.toml")
    return tmp_path / "recipe.toml"


def test_allowed_changes_are_reported(saved):
    recipe = load_recipe(str(saved), ["optimiser.lr=0.5", "data.workers=3"])
    before = load_recipe(str(saved)).optimiser.lr
    changed = changes_of(recipe, saved, allow=False)
    assert changed.lines == ("data.workers: 0 → 3", f"optimiser.lr: {before} → 0.5")
    assert changed.history == ("from step 3 on: optimiser.lr: 1 → 2",)
    assert len(changed.rate_line(10, 100)) == 1
    assert changes_of(load_recipe(str(saved)), saved, allow=False).lines == ()


CHANGES = ["loss.m=2", "loop.batch=4", "data.min_images=7", "model.channels=bgr", "loop.seed=9"]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_substance_are_refused(saved, change):
    recipe = load_recipe(str(saved), [change])
    with pytest.raises(TrainingError, match=rf"{change.partition('=')[0]}: .* → .*; resume .* with allow"):
        changes_of(recipe, saved, allow=False)
    assert len(changes_of(recipe, saved, allow=True).lines) == 1


FORMER = {
    "data.ahead": "data.prefetch_batches",
    "data.turned": "data.profile_repeats",
    "augment.fill": "augment.inpaint",
    "teacher.begin_crops": "teacher.initialise_crops",
}


def test_a_recipe_saved_with_former_names_loads_and_resumes(saved):
    """Nothing counts as changed, and an override by either name applies."""
    text = saved.read_text(encoding="utf-8").replace("prefetch_batches = 4", "ahead = 7")
    saved.write_text(text.replace("inpaint = 0.0", "fill = 0.5"), encoding="utf-8")
    recipe = load_recipe(str(saved))
    assert (recipe.data.prefetch_batches, recipe.augment.inpaint) == (7, 0.5)
    assert changes_of(recipe, saved, allow=False).lines == ()
    for former, name in FORMER.items():
        for key in (former, name):
            changed = load_recipe(str(saved), [f"{key}={1 if name == 'augment.inpaint' else 2}"])
            assert [line.partition(":")[0] for line in changes_of(changed, saved, allow=True).lines] == [name]
    assert Data(ahead=9).prefetch_batches == 9
    with pytest.raises(ValidationError, match="ahead"):
        Data(ahead=9, prefetch_batches=3)


def crops(root, *names, first=0):
    for number, name in enumerate(names):
        for image in range(2):
            pixels = np.random.default_rng((first, number, image)).integers(0, 255, (12, 12, 3), np.uint8)
            write_rgb(root / name / f"{image}.png", pixels)
    return root


def test_contents(tmp_path):
    first = contents_digest(open_samples([crops(tmp_path / "a", "p", "q")]))
    assert contents_digest(open_samples([crops(tmp_path / "b", "p", "q")])) == first
    assert contents_digest(open_samples([crops(tmp_path / "c", "p", "q", first=1)])) != first


def test_one_of_many_images_replaced_by_one_of_its_size(tmp_path):
    """In folders, shards and RecordIO, whichever it is and however many there are."""
    names = [f"{number:03d}" for number in range(150)]
    folders = tmp_path / "a"
    for name in names:
        for image in range(2):
            (folders / name).mkdir(parents=True, exist_ok=True)
            (folders / name / f"{image}.png").write_bytes(f"{name}{image}".encode())
    shard = write_shard(tmp_path / "a.tar", [(name, name.encode(), {"identity": name}) for name in names * 2])
    records = tmp_path / "r" / "train.rec"
    records.parent.mkdir()
    write_recordio(records, [(int(name), name.encode()) for name in names for _ in range(2)])
    before = [contents_digest(open_samples([place])) for place in (folders, shard, records)]
    assert all(digest.startswith("all:") for digest in before)
    (folders / "077" / "1.png").write_bytes(b"077!")
    shard.write_bytes(shard.read_bytes().replace(b"077" + bytes(509), b"!77" + bytes(509), 1))
    records.write_bytes(records.read_bytes().replace(b"077", b"!77", 1))
    after = [contents_digest(open_samples([place])) for place in (folders, shard, records)]
    assert all(first != second for first, second in zip(before, after, strict=True))
    assert not same_contents(before[0], after[0]) and same_contents(before[0], before[0])


def test_large_sets_are_sampled(tmp_path, monkeypatch):
    samples = open_samples([crops(tmp_path / "a", "p", "q")])
    whole = contents_digest(samples)
    monkeypatch.setattr("facepipe.datasets.samples.samples._READ_WHOLE", 10)
    some = contents_digest(samples)
    assert some.startswith("some:") and contents_digest(samples) == some
    assert same_contents(whole, some)  # nothing that both looked at differs


def test_people_are_left_out_of_every_source(tmp_path):
    roots = [crops(tmp_path / "a", "Tony", "Ada", NFD), crops(tmp_path / "b", "Tony", "Bo")]
    samples = open_samples(roots, exclude=["Tony", NFC, "Nobody"])
    assert sorted(samples.identities) == ["Ada", "Bo"] and len(samples) == 4
    told = " ".join(samples.notes)
    assert "3 identities with 6 images left out" in told
    assert "not found: Nobody" in told and "another Unicode normalisation: Zoë" in told
    assert open_samples(roots, exclude=["Tony", "Bo"]).identities == ["Ada", NFD]
    with pytest.raises(DatasetError, match="leaves no identity"):
        open_samples(roots[1:], exclude=["Tony", "Bo"])
