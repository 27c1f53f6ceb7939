"""A teacher that is asked about the student's own crops."""

import numpy as np
import pytest
import torch
from cli_run import tiny_model
from test_train_distil import begin, log_of, teacher  # noqa: F401  (a fixture)
from train_tiny import write_folders

from facepipe.embedding import Embedder
from facepipe.losses import Distillation
from facepipe.train import RecipeError
from facepipe.train.data.loader import to_network
from facepipe.train.recipe.schema import ModelSection
from facepipe.train.teacher.same_view import SameView
from facepipe.zoo import load

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_directions_equal_the_embedders_for_any_input_format_of_the_student(tmp_path, channels):
    model = load(tiny_model(tmp_path / "tiny"))
    student = ModelSection(backbone="sphereface4", input_size=(112, 96), channels=channels, mean=100.0, scale=50.0)
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 96, 3), np.uint8)
    mean = torch.linspace(-0.1, 0.1, 8)
    told = SameView(model, student, mean)(to_network(crops, torch.device("cpu"), 100.0, 50.0, channels))
    mu = Embedder(model, flip="none", precision="float32")(crops).mu
    expected = mu / np.linalg.norm(mu, axis=1, keepdims=True) - mean.numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert told.numpy() == pytest.approx(expected, abs=1e-4)


def test_another_size_is_refused(tmp_path):
    student = ModelSection(backbone="sphereface4", input_size=(112, 112))
    with pytest.raises(RecipeError, match="crops of 112×96 and 112×112"):
        SameView(load(tiny_model(tmp_path / "tiny")), student, torch.zeros(8))


def test_the_loss_uses_the_teachers_output_not_the_stored_targets():
    told = torch.nn.functional.normalize(torch.randn(4, 8), dim=1)
    loss = Distillation(torch.randn(10, 8), torch.zeros(10), teacher=lambda crops: told[: len(crops)])
    loss.show_crops(torch.zeros(4, 3, 1, 1))
    out = loss(2 * told, torch.arange(4), 1)
    assert out.loss.item() == pytest.approx(0, abs=1e-6) and out.logged["teacher_cosine"].item() == pytest.approx(1)
    assert loss(-told, torch.arange(4), 1).loss.item() == pytest.approx(2)


def test_a_run_learns_with_same_view(tmp_path, teacher):  # noqa: F811
    data = write_folders(tmp_path / "faces")
    begin(
        tmp_path, data, teacher, "schedule.length=60", "schedule.milestones=[]", "optimiser.name=adamw",
        "optimiser.groups=no-norm", "optimiser.lr=0.005", "teacher.same_view=true", "augment.warp=1",
        "teacher.centre=false",
    )  # fmt: skip
    steps = [line for line in log_of(tmp_path / "run") if line["event"] == "train"]
    assert steps[-1]["teacher_cosine"] > steps[0]["teacher_cosine"] + 0.2


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        (("teacher.centre=false",), 0),
        (("teacher.centre=true",), 5),  # of 20, for their mean
        (("teacher.centre=false", "teacher.identity=0.1", "loss.name=cosface"), 20),  # they begin the class weights
        (("teacher.centre=false", "evaluate.held_out=true", "evaluate.fars=[0.1]"), 10),  # of the two people held out
    ],
)
def test_only_needed_targets_are_computed_beforehand(tmp_path, teacher, monkeypatch, settings, asked):  # noqa: F811
    monkeypatch.setattr("facepipe.train.teacher.targets.CENTRE_CROPS", 5)
    data = write_folders(tmp_path / "faces")
    begin(
        tmp_path, data, teacher, "schedule.length=1", "schedule.milestones=[]", "teacher.same_view=true",
        "optimiser.groups=all", "data.held_out=2", *settings,
    )  # fmt: skip
    kept = [np.load(path)["digests"] for path in (tmp_path / "cache").rglob("*.npz")]
    assert sum(map(len, kept)) == asked
    has_centres = (tmp_path / "run" / "classes.safetensors").exists()
    assert has_centres == any("identity" in one for one in settings)  # none are made of what was not asked
