"""State dicts: where they lie in a file, the prefixes they carry, and what is said when they do not fit."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from facepipe.backbones import create
from facepipe.errors import ModelError
from facepipe.zoo.checkpoint import find_state_dict, load_weights, read_checkpoint, without_prefix


def small(**options):
    torch.manual_seed(5)
    return create("sphereface4", input_size=(32, 32), embedding_dim=4, width=0.125, **options).eval()


def meta(**options):
    with torch.device("meta"):
        return small(**options)


@pytest.mark.parametrize("key", ["", "state_dict", "net_state_dict", "model", "backbone"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "model.backbone."])
def test_found_and_fitted(tmp_path, key, prefix):
    net = small(batch_norm=True)
    state = {prefix + name: tensor for name, tensor in net.state_dict().items()}
    path = tmp_path / "x.pt"
    torch.save({key: state, "epoch": 3} if key else state, path)
    found_key, found = find_state_dict(read_checkpoint(path, "torch"), path)
    assert found_key == key
    again = meta(batch_norm=True)
    load_weights(again, found, path)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(again.eval()(x), net(x))


def test_unknown_key(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"ema": small().state_dict(), "epoch": 3}, path)
    loaded = read_checkpoint(path, "torch")
    with pytest.raises(ModelError, match=r"x\.pt: has no state dict; the file has ema, epoch"):
        find_state_dict(loaded, path)
    with pytest.raises(ModelError, match=r"no state dict under key 'net'; the file has ema, epoch"):
        find_state_dict(loaded, path, "net")
    assert find_state_dict(loaded, path, "ema")[0] == "ema"


def test_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(small().state_dict(), path)
    _, state = find_state_dict(read_checkpoint(path, "safetensors"), path, "")
    net = meta()
    load_weights(net, state, path)
    assert torch.equal(net.fc5.weight, small().fc5.weight)


def test_half_precision_becomes_float32_and_frozen_stays_frozen(tmp_path):
    net = create("sphereface10", input_size=(32, 32), embedding_dim=4, width=0.125)
    state = net.half().state_dict()
    with torch.device("meta"):
        again = create("sphereface10", input_size=(32, 32), embedding_dim=4, width=0.125)
    load_weights(again, state, tmp_path)
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    assert not again.stage[1][1].first.conv.bias.requires_grad
    assert again.fc5.weight.requires_grad


def test_old_checkpoints_without_batch_counters(tmp_path):
    net = small(batch_norm=True)
    state = {name: t for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    again = meta(batch_norm=True)
    load_weights(again, state, tmp_path)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(again.eval()(x), net(x))


def test_report_of_differences(tmp_path):
    state = small(batch_norm=True).state_dict()
    state["fc5.weight"] = torch.zeros(9, 7)
    state |= {f"head.{i}": torch.zeros(1) for i in range(7)}
    path = tmp_path / "x.pt"
    with pytest.raises(ModelError) as caught:
        load_weights(meta(), state, path)
    message = str(caught.value)
    assert message.startswith(f"{path}: does not match SphereFace: 4 missing: stage.0.0.conv.bias, ")
    # Five batch norms of five tensors each, and seven heads.
    assert "; 32 unexpected: stage.0.0.bn.weight, " in message and ", …" in message
    assert "; 1 of another shape: fc5.weight 9×7 for 4×256" in message
    assert "head.6" not in message and "\n" not in message


def test_prefix_is_kept_where_the_network_has_it():
    state = {"stage.0": torch.zeros(1), "stage.1": torch.zeros(1)}
    assert without_prefix(state, {"stage.0", "fc5.weight"}) == state
    assert without_prefix({"a.b": state["stage.0"], "c.b": state["stage.0"]}, {"b"}).keys() == {"a.b", "c.b"}
    assert without_prefix({"b": state["stage.0"]}, {"x"}).keys() == {"b"}


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("form", ["torch", "safetensors"])
@pytest.mark.parametrize("data", [b"", b"not weights at all", b"PK\x03\x04" + bytes(50), b"\x80\x02}q\x00."])
def test_damaged_files(tmp_path, form, data):
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    if form == "torch" and data.startswith(b"\x80"):
        return  # an empty pickled dict is no damage
    with pytest.raises(ModelError) as caught:
        read_checkpoint(path, form)
    assert str(caught.value).startswith(f"{path}: damaged, or not a ") and "\n" not in str(caught.value)


def test_truncated_checkpoint(tmp_path):
    path = tmp_path / "x.pt"
    torch.save(small().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"x\.pt: damaged, or not a torch checkpoint"):
        read_checkpoint(path, "torch")


def test_no_code_is_run(tmp_path, capsys):
    path = tmp_path / "x.pt"
    torch.save({"state_dict": small().state_dict(), "args": Evil()}, path)
    with pytest.raises(ModelError, match="Python objects besides tensors"):
        read_checkpoint(path, "torch")
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(ModelError):
        read_checkpoint(path, "torch")
    assert "code ran" not in capsys.readouterr().out


def test_missing_file(tmp_path):
    for form in ("torch", "safetensors"):
        with pytest.raises(ModelError, match=r"no\.pt: cannot read these weights"):
            read_checkpoint(tmp_path / "no.pt", form)
