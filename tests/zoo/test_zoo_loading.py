"""From names, card files and run folders to networks; importing weights, known and foreign."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from facepipe import backbones
from facepipe.errors import DeviceError, ModelError
from facepipe.zoo import (
    DEFAULT,
    Card,
    CardSource,
    Input,
    Uncertainty,
    available,
    cached_weights,
    find_card,
    import_foreign,
    import_weights,
    load,
    read_card,
    save_card,
    user_cards,
)
from facepipe.zoo.headed import Headed, head_for

INPUT = Input(size=(112, 96), template="112x96", channels="bgr", mean=127.5, scale=128.0)
OPTIONS = {"width": 0.125}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return backbones.create("sphereface4", embedding_dim=6, **OPTIONS).eval()


@pytest.fixture
def checkpoint(net, tmp_path):
    path = tmp_path / "epoch_7.pt"
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}, "epoch": 7}, path)
    return path


def same(model, net):
    x = torch.randn(2, 3, 112, 96)
    with torch.inference_mode():
        return torch.equal(model.network(x), net(x))


def run_folder(folder, net, **fields):
    """As a training run leaves it: a card and weights beside it."""
    folder.mkdir()
    save_file(net.state_dict(), folder / "weights.safetensors")
    card = Card.of(
        {
            "name": "run",
            "title": "a run",
            "backbone": "sphereface4",
            "backbone_options": OPTIONS,
            "input": INPUT,
            "embedding": {"dim": 6, "flip": "concat"},
            **fields,
            "weights": {
                "file": "weights.safetensors",
                "format": "safetensors",
                "sha256": hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest(),
            },
        }
    )
    save_card(card, folder / "card.toml")
    return card


def test_run_folder_and_card_file(tmp_path, net):
    card = run_folder(tmp_path / "run", net)
    for where in (tmp_path / "run", str(tmp_path / "run"), tmp_path / "run" / "card.toml"):
        model = load(where, "cpu")
        assert model.card == card
        assert model.identity == f"run@{card.weights.sha256[:12]}/112x96-cp2tform"
        assert not model.network.training and not model.is_onnx
        assert model.device == torch.device("cpu")
        assert same(model, net)


def test_run_folder_from_inside(tmp_path, net, monkeypatch):
    run_folder(tmp_path / "run", net)
    monkeypatch.chdir(tmp_path)
    assert load("run").card.name == "run"
    assert load(".//run").card.name == "run"


def test_exchanged_weights(tmp_path, net):
    run_folder(tmp_path / "run", net)
    path = tmp_path / "run" / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"weights\.safetensors: damaged or replaced.*restore the file"):
        load(tmp_path / "run")
    path.unlink()
    with pytest.raises(ModelError, match=r"weights\.safetensors: no such file; weights must be in the folder"):
        load(tmp_path / "run")


def test_damaged_weights_with_their_own_hash(tmp_path, net):
    """The card was made from the damaged file: its content is what is wrong."""
    card = run_folder(tmp_path / "run", net)
    path = tmp_path / "run" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    weights = replace(card.weights, sha256=digest)
    save_card(replace(card, weights=weights), tmp_path / "run" / "card.toml")
    with pytest.raises(ModelError, match=r"weights\.safetensors: damaged, or not a safetensors file"):
        load(tmp_path / "run")


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"backbone": "sphereface5"}, "did you mean 'sphereface"),
        ({"backbone_options": {"wdith": 1}}, "did you mean 'width'"),
        ({"backbone_options": {}}, "does not match SphereFace"),
        ({"uncertainty": {"head": "compcat"}}, "unknown uncertainty head 'compcat'; did you mean 'compact'"),
        ({"uncertainty": {"head": "compact"}}, r"does not match Headed: \d+ missing: backbone\."),
        ({"uncertainty": {"head": "pfe", "options": {"fusion": True}}}, "pfe has no option 'fusion'"),
    ],
)
def test_card_that_does_not_fit(tmp_path, net, update, message):
    card = run_folder(tmp_path / "run", net)
    values = card.to_dict() | update
    save_card(Card.of(values), tmp_path / "run" / "card.toml")
    with pytest.raises(ModelError, match=message):
        load(tmp_path / "run")


HEADS = [("compact", {"hidden": 5}), ("pfe", {}), ("probface", {"fusion": False})]


@pytest.mark.parametrize(("head", "options"), HEADS)
def test_a_backbone_and_its_head_from_one_file(tmp_path, net, head, options):
    settings = Uncertainty(head=head, options=options, quantiles=(1.0, 2.0, 4.0), measured_on="nobody")
    both = Headed(net, head_for(net, settings)).eval()
    run_folder(tmp_path / "run", both, uncertainty=settings)
    model = load(tmp_path / "run")
    assert model.card.uncertainty == settings and same(model, net)
    assert model.head.kind == both.head.kind and not model.head.training
    maps = net.maps(torch.randn(3, 3, 112, 96))
    with torch.inference_mode():
        assert torch.equal(model.head(maps), both.head(maps))
    assert load(tmp_path / "run").head.state_dict().keys() == both.head.state_dict().keys()


def test_a_model_without_a_head(tmp_path, net):
    run_folder(tmp_path / "run", net)
    assert load(tmp_path / "run").head is None


def test_unknown_names(tmp_path):
    with pytest.raises(ModelError, match="unknown model 'sfaces'; did you mean 'sface'"):
        load("sfaces")
    with pytest.raises(ModelError, match=r"unknown model 'qqq'; choose one of .*sface.* \(or give the path"):
        load("qqq")
    with pytest.raises(ModelError, match=r"no\.toml: cannot read this model card"):
        load(tmp_path / "no.toml")
    with pytest.raises(ModelError, match=r"no such folder"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError, match=r"has no card.toml; a model is a name, a card file, or a folder"):
        load(tmp_path)


def test_shipped_but_not_cached():
    assert [status.name for status in available() if status.cached] == [DEFAULT]  # it ships
    with pytest.raises(ModelError) as caught:
        load("sface")
    assert "'facepipe models pull sface'" in str(caught.value)
    assert "'facepipe models import sface FILE' with FILE from https://" in str(caught.value)


def test_absent_device(tmp_path, net):
    run_folder(tmp_path / "run", net)
    with pytest.raises(DeviceError):
        load(tmp_path / "run", "tpu")
    assert load(tmp_path / "run", torch.device("cpu")).device.type == "cpu"


def test_import_weights_checks_the_hash(tmp_path, cache):
    data = b"not these"
    (tmp_path / "x.onnx").write_bytes(data)
    card = find_card("sface")
    with pytest.raises(ModelError) as caught:
        import_weights(card, tmp_path / "x.onnx")
    assert card.weights.sha256 in str(caught.value)
    assert hashlib.sha256(data).hexdigest() in str(caught.value)
    with pytest.raises(ModelError, match=r"no\.onnx: cannot read"):
        import_weights(card, tmp_path / "no.onnx")
    assert not cached_weights(card).exists()


def test_import_into_a_cache_that_is_no_folder(tmp_path, net, monkeypatch, checkpoint):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="set FACEPIPE_CACHE"):
        import_foreign("mine", checkpoint, backbone="sphereface4", input=INPUT, backbone_options=OPTIONS)


def test_import_published_weights_and_load(shared):
    for name, cut in (("mobilefacenet-casia", "112x96-cp2tform"), ("sface", "112x112-umeyama")):
        card = find_card(name)
        target = import_weights(card, shared / "weights" / card.weights.file)
        assert target == cached_weights(card) and target.is_file()
        assert [path.name for path in target.parent.iterdir() if path.name.startswith(".")] == []
        model = load(name)
        assert model.identity == f"{name}@{card.weights.sha256[:12]}/{cut}"
        assert model.network(torch.zeros(2, 3, *card.input.size)).shape == (2, 128)
    assert {status.name for status in available() if status.cached} == {DEFAULT, "mobilefacenet-casia", "sface"}
    cached_weights(card).write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"damaged or replaced.*'facepipe models pull sface'"):
        load("sface")


def test_import_foreign_checkpoint(checkpoint, net, cache):
    card = import_foreign(
        "mine-1.0",
        checkpoint,
        backbone="sphereface4",
        input=INPUT,
        flip="sum",
        backbone_options=OPTIONS,
        source=CardSource(licence="MIT"),
    )
    assert (card.embedding.dim, card.weights.key, card.title) == (6, "state_dict", "epoch_7.pt")
    assert card.weights.size_bytes == checkpoint.stat().st_size
    assert read_card(user_cards() / "mine-1.0.toml") == card == find_card("mine-1.0")
    model = load("mine-1.0")
    assert same(model, net)
    status = available()[-1]
    assert (status.name, status.shipped, status.cached) == ("mine-1.0", False, True)
    with pytest.raises(ModelError, match=r"mine-1\.0 exists already"):
        import_foreign("mine-1.0", checkpoint, backbone="sphereface4", input=INPUT, backbone_options=OPTIONS)
    import_foreign(
        "mine-1.0", checkpoint, backbone="sphereface4", input=INPUT, backbone_options=OPTIONS, replace=True
    )
    assert load("mine-1.0").card.embedding.flip == "none"


def test_import_foreign_safetensors(tmp_path, net):
    save_file(net.state_dict(), tmp_path / "Mine.safetensors")
    card = import_foreign(
        "mine", tmp_path / "Mine.safetensors", backbone="sphereface4", input=INPUT, backbone_options=OPTIONS
    )
    assert card.weights.format == "safetensors"
    assert same(load("mine"), net)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "Mine"}, "'Mine' is not a valid model name"),
        ({"name": "../mine"}, "is not a valid model name"),
        ({"name": "sface"}, "name of a model shipped with facepipe"),
        ({"backbone": None}, "which backbone are these weights for"),
        ({"backbone": "sphereface10"}, r"does not match SphereFace: 18 missing: stage.1.1"),
        ({"backbone": "mobilefacenet", "backbone_options": {}}, "does not match MobileFaceNet: .* missing: "),
        ({"embedding_dim": 7}, r"does not match SphereFace: 2 of another shape: fc5.weight 6×2688 for 7×2688"),
        ({"backbone": "sphere"}, "unknown backbone 'sphere'; did you mean 'sphereface"),
    ],
)
def test_import_foreign_that_fails_leaves_nothing(checkpoint, cache, arguments, message):
    asked = {"name": "mine", "backbone": "sphereface4", "input": INPUT, "backbone_options": OPTIONS}
    asked |= arguments
    with pytest.raises(ModelError, match=message) as caught:
        import_foreign(asked.pop("name"), checkpoint, **asked)
    assert "\n" not in str(caught.value)
    assert not cache.exists()


def test_user_card_cannot_replace_a_shipped_one(cache):
    text = replace(find_card("sface"), title="another")
    save_card(text, user_cards() / "sface.toml")
    assert find_card("sface").title != "another"
    assert sum(status.name == "sface" for status in available()) == 1


def test_damaged_user_card_is_listed(cache):
    user_cards().mkdir(parents=True)
    (user_cards() / "bad.toml").write_text("name = ")
    save_card(find_card("sface"), user_cards() / "renamed.toml")
    statuses = {status.name: status for status in available()}
    assert statuses["bad"].card is None and "not valid TOML" in statuses["bad"].problem
    assert "rename the file to sface.toml" in statuses["renamed"].problem
    with pytest.raises(ModelError, match="not valid TOML"):
        load("bad")


def test_importing_the_room_is_light():
    heavy = ("torch", "onnx", "onnxruntime", "pooch", "requests", "safetensors")
    code = f"import sys, facepipe.zoo as z; z.available(); print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.slow
def test_loading_draws_nothing_and_starts_no_compiler():
    """The compiler alone takes longer to import than a comparison may take."""
    _passes(
        "import sys, torch\n"
        "from facepipe.zoo import DEFAULT, load\n"
        "before = torch.get_rng_state()\n"
        "model = load(DEFAULT)\n"
        "assert torch.equal(before, torch.get_rng_state())\n"
        "assert not any(p.is_meta for p in [*model.network.parameters(), *model.head.parameters()])\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )


@pytest.mark.slow
def test_listing_starts_no_compiler_either():
    """Networks are made without memory to count their weights."""
    _passes(
        "import sys\n"
        "from facepipe.backbones import describe\n"
        "assert describe('iresnet50').parameters > 1e6 and describe('mobilefacenet').parameters > 1e6 - 2e5\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )


def test_comparing_waits_for_no_file_format():
    _passes(
        "import sys\n"
        "import facepipe.cli.commands.compare, facepipe.embedding, facepipe.pipeline\n"
        "assert 'pyarrow' not in sys.modules\n"
        "facepipe.embedding.load_embeddings\n"
        "assert 'pyarrow' in sys.modules\n"
    )


def _passes(script: str) -> None:
    """The script ends well in a Python of its own, into which nothing was imported yet."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
