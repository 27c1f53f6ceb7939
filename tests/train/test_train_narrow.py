"""A student that begins as its teacher: the weights of an ONNX graph, narrowing, and a run that does both."""

import numpy as np
import pytest
import torch
from test_train_distil import begin, log_of
from torch import nn
from train_tiny import write_folders, write_recipe

from facepipe import backbones
from facepipe.backbones.mobilefacenet import ConvBlock
from facepipe.backbones.narrow import _refit, narrow
from facepipe.errors import ModelError
from facepipe.train import RecipeError
from facepipe.train.recipe.file import load_recipe
from facepipe.train.run.card import write_model
from facepipe.train.trunk.cut import lower
from facepipe.zoo import CardSource, find_card, import_weights, load
from facepipe.zoo.onnx_layers import OnnxLayers
from facepipe.zoo.onnx_weights import load_onnx_weights

SIZE = (32, 32)

pytestmark = pytest.mark.usefixtures("one_thread")


def mobilenet(width=0.25, reduced=0, seed=0):
    """With gains that differ between channels, and batch norms that know the data."""
    torch.manual_seed(seed)
    net = backbones.create("mobilenet", input_size=SIZE, embedding_dim=8, width=width, reduced=reduced)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.weight.data.uniform_(0.1, 1)
            module.bias.data.normal_(0, 0.3)
            module.momentum = 1.0
    net(torch.cat(batches()))
    return net.eval()


def cosines(one, other):
    """Between embeddings of new data, around the mean of each."""
    x = torch.cat(batches(4, seed=9))
    with torch.no_grad():
        seen = [net.eval()(x) for net in (one, other)]
    return torch.cosine_similarity(*(mu - mu.mean(0) for mu in seen)).numpy()


def batches(count=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(8, 3, *SIZE, generator=generator) for _ in range(count)]


@pytest.mark.slow
def test_as_wide_as_the_teacher_is_the_teacher():
    teacher, student = mobilenet(), mobilenet(seed=5)
    narrow(student, teacher, batches())
    assert cosines(student, teacher) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_channels_that_nothing_reads_go_first():
    """A teacher with as many dead channels as have to go is not changed by their going."""
    wide, student = mobilenet(0.5), mobilenet(0.25, seed=5)
    generator = np.random.default_rng(0)
    for block, ours in zip(wide.separable(), student.separable(), strict=True):
        room = ours.pointwise.conv.in_channels
        dead = generator.permutation(block.pointwise.conv.in_channels)[room:]
        block.pointwise.conv.weight.data[:, dead] = 0
    places = wide.feature_shape[1] * wide.feature_shape[2]
    dead = generator.permutation(wide.norm.num_features)[student.norm.num_features :]
    wide.fc.weight.data.view(8, -1, places)[:, dead] = 0
    narrow(student, wide, batches(24))
    assert cosines(student, wide).min() > 0.98  # the refit's ridge, and few rows


def test_refit_is_least_squares_with_a_constant(monkeypatch):
    """NumPy's lstsq says how the teacher's maps are best made of the student's; what is constant goes into the norm."""
    monkeypatch.setattr("facepipe.backbones.narrow._RIDGE", 1e-9)
    generator = np.random.default_rng(0)
    told, seen = generator.normal(1, 1, (400, 6)), generator.normal(2, 1, (400, 4))
    seen[:, 0] += told[:, 2]
    theirs, ours = ConvBlock(6, 5, (1, 1)), ConvBlock(4, 3, (1, 1))
    outputs = torch.tensor([0, 2, 4])
    before = ours.bn.running_mean.clone()
    as_maps = [torch.tensor(rows.T.reshape(1, -1, 20, 20), dtype=torch.float32) for rows in (told, seen)]
    with torch.no_grad():
        _refit(ours, theirs, outputs, [tuple(as_maps)])
    target = told @ theirs.conv.weight.detach().double()[outputs, :, 0, 0].numpy().T
    best, *_ = np.linalg.lstsq(np.column_stack([seen, np.ones(400)]), target, rcond=None)
    assert ours.conv.weight.detach()[:, :, 0, 0].numpy() == pytest.approx(best[:4].T, abs=1e-5)
    assert (before - ours.bn.running_mean).numpy() == pytest.approx(best[4], abs=1e-4)


def test_full_rank_loses_nothing():
    teacher, student = mobilenet(), mobilenet(reduced=256, seed=5)
    narrow(student, teacher, batches())
    assert cosines(student, teacher) == pytest.approx(1, abs=1e-4)


@pytest.fixture
def sface(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    return import_weights(find_card("sface"), shared / "weights" / find_card("sface").weights.file)


@pytest.mark.slow
def test_sface_as_a_facepipe_network(sface):
    """Exact up to rounding; the graph normalises pixels itself."""
    network = backbones.create("mobilenet").eval()
    load_onnx_weights(network, sface)
    pixels = torch.rand(3, 3, 112, 112) * 255
    with torch.inference_mode():
        torch.testing.assert_close(network((pixels - 127.5) / 128), load("sface").network(pixels), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("until", "prelus"), [("conv1", 1), ("blocks.0.depthwise", 2), ("blocks.12.pointwise", 27)])
def test_lower_layers_of_sface_by_onnx_equal_those_by_torch(sface, until, prelus):
    network = backbones.create("mobilenet").eval()
    load_onnx_weights(network, sface)
    pixels = torch.rand(2, 3, 112, 112) * 255
    with torch.inference_mode():
        ours = lower(network, until)((pixels - 127.5) / 128).numpy()
    np.testing.assert_allclose(OnnxLayers(sface, prelus, 1)(pixels.numpy()), ours, rtol=0, atol=1e-3 * abs(ours).max())


def test_other_networks_are_refused(sface):
    with pytest.raises(ModelError, match=r"layers with weights, but MobileFaceNet has"):
        load_onnx_weights(backbones.create("mobilefacenet"), sface)
    with pytest.raises(ModelError, match=r"layer 1 \(Conv\) does not match MobileNet: shape"):
        load_onnx_weights(backbones.create("mobilenet", width=0.5), sface)


@pytest.fixture
def teacher(tmp_path):
    recipe = load_recipe(str(write_recipe(tmp_path / "teacher.toml")))
    model = recipe.model.model_copy(update={"backbone": "mobilenet", "options": {"width": 0.5}, "input_size": SIZE})
    write_model(tmp_path / "teacher", mobilenet(0.5), recipe.model_copy(update={"model": model}), [], CardSource())
    return tmp_path / "teacher"


STUDENT = (
    "teacher.initialise=true", "teacher.initialise_crops=16", "model.backbone=mobilenet", "data.held_out=2",
    "loop.ema=0.5",
    "evaluate.held_out=true", "evaluate.fars=[0.1]", "schedule.length=2", "schedule.milestones=[]", "optimiser.lr=1e-6",
    "optimiser.groups=all", "teacher.mirror=false", "teacher.centre=false", "augment.mirror=0",
)  # fmt: skip


def test_a_run_begins_as_its_teacher(tmp_path, teacher):
    data = write_folders(tmp_path / "faces", size=SIZE)
    size = f"model.input_size=[{SIZE[0]},{SIZE[1]}]"
    begin(tmp_path, data, teacher, *STUDENT, size, "model.options={width=0.5}")
    told = [line for line in log_of(tmp_path / "run") if line["event"] == "evaluation"]
    assert told[-1]["held_out_teacher_cosine"] > 0.9  # the average too; from nothing it would be about 0


def test_a_student_of_another_kind_is_refused(tmp_path, teacher):
    data = write_folders(tmp_path / "faces", size=SIZE)
    size = f"model.input_size=[{SIZE[0]},{SIZE[1]}]"
    with pytest.raises(RecipeError, match="needs a mobilenet, not sphereface4"):
        begin(tmp_path, data, teacher, *STUDENT, size, "model.backbone=sphereface4", "model.options={}")


def test_who_can_be_narrowed():
    ours, other = mobilenet(), backbones.create("sphereface4", input_size=SIZE, width=0.125)
    assert ours.narrows and not other.narrows
    with pytest.raises(ModelError, match="SphereFace is not a mobilenet"):
        ours.narrow_from(other, [])
    with pytest.raises(ModelError, match="SphereFace cannot be narrowed"):
        other.narrow_from(ours, [])
