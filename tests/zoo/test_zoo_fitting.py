"""Checkpoints as others save them: the network is found by names' ends and shapes, and what was left out is told."""

import hashlib
import shutil

import numpy as np
import pytest
import torch
from cli_run import refused, run, tiny_model
from safetensors.torch import load_file, save_file

from facepipe import backbones
from facepipe.errors import ModelError
from facepipe.zoo import Input, find_card, import_foreign, load
from facepipe.zoo.torch_script import read_torch_script

INPUT = Input(size=(32, 32), template="112x96", channels="rgb", mean=127.5, scale=128.0)
OPTIONS = {"width": 0.125, "batch_norm": True}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return backbones.create("sphereface4", input_size=(32, 32), embedding_dim=6, **OPTIONS).eval()


def state(net, prefix="", shift=0.0):
    tensors = {prefix + name: tensor.clone() for name, tensor in net.state_dict().items()}
    if shift:
        tensors[f"{prefix}fc5.weight"] += shift
    return tensors


HEAD = {"head.weight": torch.ones(9, 6), "fc.weight": torch.ones(4, 6), "fc.bias": torch.ones(4)}
SHAPES = {
    "insightface": lambda net: {"epoch": 3, "state_dict_backbone": state(net), "state_dict_softmax_fc": HEAD},
    "a head beside it": lambda net: state(net) | HEAD,
    "a head beside it, below model.": lambda net: {"state_dict": state(net, "model.") | HEAD},
    "data parallel, features and a head": lambda net: state(net, "features.module.") | HEAD,
    "Lightning": lambda net: {
        "state_dict": state(net, "model.backbone.") | HEAD,
        "pytorch-lightning_version": "2.1",
        "optimizer_states": [{}],
    },
    "with the optimiser": lambda net: {"model": state(net), "optimizer": {"state": {0: {"m": torch.ones(3)}}}},
    "two levels down": lambda net: {"checkpoint": {"net": state(net), "epoch": 2}},
    "tensors beside plain values": lambda net: state(net) | {"epoch": 7},
    "the same twice": lambda net: {"state_dict": state(net), "model": state(net)},
    "without counters": lambda net: {n: t for n, t in state(net, "encoder.").items() if "num_batches" not in n} | HEAD,
}  # fmt: skip


def same(name, net):
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        return torch.equal(load(name).network(x), net(x))


def bring(path, **more):
    return import_foreign("mine", path, backbone="sphereface4", input=INPUT, backbone_options=OPTIONS, **more)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_network_is_found(tmp_path, net, shape):
    saved = SHAPES[shape](net)
    torch.save(saved, tmp_path / "x.pt")
    told = []
    card = bring(tmp_path / "x.pt", notify=told.append)
    assert same("mine", net) and card.embedding.dim == 6
    with_head = "fc.weight" in saved or "fc.weight" in saved.get("state_dict", {})
    assert bool(told) == with_head
    if with_head:
        assert "3 tensors left out that the network does not have: fc, head" in told[0]


def test_safetensors_with_a_head(tmp_path, net):
    save_file(state(net, "backbone.") | HEAD, tmp_path / "x.safetensors")
    bring(tmp_path / "x.safetensors")
    assert same("mine", net) and "taken from x.safetensors (SHA-256 " in find_card("mine").source.notes


@pytest.mark.parametrize("wrapped", [False, True])
def test_torch_script(tmp_path, net, wrapped):
    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.head = net, torch.nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.backbone(x))

    made = torch.jit.trace(Whole().eval() if wrapped else net, torch.zeros(1, 3, 32, 32), check_trace=False)
    torch.jit.save(made, tmp_path / "x.pt")
    told = []
    bring(tmp_path / "x.pt", notify=told.append)
    assert same("mine", net) and bool(told) == wrapped


def test_a_damaged_torch_script_is_one_line(tmp_path, net):
    torch.jit.save(torch.jit.trace(net, torch.zeros(1, 3, 32, 32), check_trace=False), tmp_path / "x.pt")
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.pt") as old, zipfile.ZipFile(tmp_path / "y.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"cos\nsystem\n." if name.endswith("/data.pkl") else old.read(name))
    with pytest.raises(ModelError, match=r"y\.pt: a damaged TorchScript file"):
        bring(tmp_path / "y.pt")


@pytest.mark.parametrize("bomb", ["compressed", "repeated"])
def test_a_torch_script_larger_than_its_file_is_refused(tmp_path, bomb):
    """Zeros compress a thousandfold, and strides of zero repeat one value."""
    weight = torch.zeros(16 << 20) if bomb == "compressed" else torch.zeros(1).expand(1 << 24)
    small = torch.nn.Linear(2, 2)
    small.register_buffer("more", weight)
    torch.jit.save(torch.jit.trace(small, torch.zeros(1, 2), check_trace=False), tmp_path / "x.pt")
    import zipfile

    kind = zipfile.ZIP_DEFLATED if bomb == "compressed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(tmp_path / "x.pt") as old, zipfile.ZipFile(tmp_path / "y.pt", "w", kind) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert (tmp_path / "y.pt").stat().st_size < 1 << 20
    with pytest.raises(ModelError, match=r"y\.pt: a damaged TorchScript file") as caught:
        read_torch_script(tmp_path / "y.pt")
    assert "larger than the file" in str(caught.value.__cause__)


def test_parts_that_differ_are_chosen_by_key_and_prefix(tmp_path, net):
    torch.save({"model": state(net), "ema": state(net, shift=0.5)}, tmp_path / "keys.pt")
    with pytest.raises(ModelError, match=r"2 different parts of it match.*key='model' prefix='\(none\)', key='ema'"):
        bring(tmp_path / "keys.pt")
    bring(tmp_path / "keys.pt", key="model")
    assert same("mine", net)
    bring(tmp_path / "keys.pt", key="ema", replace=True)
    assert not same("mine", net)
    torch.save(state(net, "student.") | state(net, "teacher.", 0.5), tmp_path / "prefixes.pt")
    with pytest.raises(ModelError, match=r"prefix='student\.', key='.top.' prefix='teacher\.'"):
        bring(tmp_path / "prefixes.pt", replace=True)
    bring(tmp_path / "prefixes.pt", prefix="student", replace=True)
    assert same("mine", net)
    with pytest.raises(ModelError, match="no state dict under key 'gone'; the keys are model, ema"):
        bring(tmp_path / "keys.pt", key="gone", replace=True)
    with pytest.raises(ModelError, match=r"no matching tensors under prefix 'x'; .*: 'student\.', 'teacher\.'"):
        bring(tmp_path / "prefixes.pt", prefix="x", replace=True)


def test_names_of_another_program_are_told_from_another_network(tmp_path, net):
    renamed = {name.replace("conv", "convolution").replace("fc5", "out"): value for name, value in state(net).items()}
    torch.save(renamed, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="the shapes match and only the names differ: rename"):
        bring(tmp_path / "x.pt")
    torch.save({"a.weight": torch.ones(3, 3)}, tmp_path / "y.pt")
    with pytest.raises(ModelError) as caught:
        bring(tmp_path / "y.pt")
    assert "rename the tensors" not in str(caught.value)


def test_what_is_left_out_is_called_by_the_part_that_tells_it(tmp_path, net):
    torch.save(state(net, "module.backbone.") | {"module.head.kernel": torch.ones(6, 9)}, tmp_path / "x.pt")
    told = []
    bring(tmp_path / "x.pt", notify=told.append)
    assert told[0].endswith("1 tensor left out that the network does not have: head")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, net, value):
    saved = state(net)
    saved["fc5.weight"][0, 0] = value
    torch.save(saved, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"x\.pt: NaN or infinite values in 1 tensor, such as fc5.weight"):
        bring(tmp_path / "x.pt")
    huge = state(net)
    huge["stage.0.0.bn.running_var"][:] = -1.0
    torch.save(huge, tmp_path / "y.pt")
    with pytest.raises(ModelError, match=r"y\.pt: the embedding of a crop is not finite"):
        bring(tmp_path / "y.pt")


def test_a_model_that_went_bad_later_is_refused_by_every_command(tmp_path):
    folder = tiny_model(tmp_path / "tiny")
    weights = load_file(folder / "weights.safetensors")
    old = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    weights["fc5.weight"][:] = float("nan")
    save_file(weights, folder / "weights.safetensors")
    new = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    (folder / "card.toml").write_text((folder / "card.toml").read_text().replace(old, new))
    from facepipe.images import write_rgb

    write_rgb(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (112, 96, 3)).astype(np.uint8))
    for words in (
        ["compare", tmp_path / "a.png", tmp_path / "a.png", "--already-aligned"],
        ["embed", tmp_path / "a.png", "-o", tmp_path / "e.parquet", "--already-aligned"],
        ["gallery", "build", tmp_path / "a.png", tmp_path / "g.parquet"],
    ):
        assert "NaN or infinite values in 1 tensor, such as fc5.weight" in refused(*words, "-m", folder)


@pytest.mark.slow
def test_export_import_and_the_folder_go_round(tmp_path):
    """With the width that no file of weights says, and the thresholds."""
    folder = tiny_model(tmp_path / "tiny", "compact")
    assert run("models", "export", folder, tmp_path / "out", "--name", "went").code == 0
    x = torch.randn(2, 3, 112, 96)
    with torch.inference_mode():
        first = load(folder).network(x)
        for number, place in enumerate([
            tmp_path / "out", tmp_path / "out" / "went.toml", tmp_path / "out" / "went.safetensors", folder,
            folder / "weights.safetensors",
        ]):  # fmt: skip
            ended = run("models", "import", f"back{number}", place)
            assert ended.code == 0, ended.err
            back = load(f"back{number}")
            assert torch.equal(back.network(x), first) and back.head is not None
            assert back.card.backbone_options == {"width": 0.125}
            assert back.card.thresholds == load(folder).card.thresholds
        assert torch.equal(load(tmp_path / "out").network(x), first), "--model DIR"
    shutil.copy(tmp_path / "out" / "went.toml", tmp_path / "out" / "copy.toml")
    assert "has 2 cards; name one of them: copy.toml, went.toml" in refused("models", "show", tmp_path / "out")


def test_an_unfinished_run_says_how_to_finish(tmp_path):
    run_folder = tmp_path / "runs" / "x"
    (run_folder / "checkpoints" / "step-000000200").mkdir(parents=True)
    (run_folder / "recipe.toml").write_text("")
    told = refused("models", "show", run_folder)
    assert "an unfinished run (its last checkpoint is step-000000200)" in told
    assert f"finish it with 'facepipe train --resume -o {run_folder}'" in told
