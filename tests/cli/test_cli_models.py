"""``facepipe models``."""

import hashlib
import shutil

import pytest
from cli_run import refused, run, tiny_model

from facepipe.zoo import find_card

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("FACEPIPE_CACHE", str(folder))
    return folder


@pytest.fixture
def weights(tmp_path):
    return tiny_model(tmp_path / "tiny") / "weights.safetensors"


def test_list(cache):
    told = run("models", "list", "--json").json
    models = {model["name"]: model for model in told["models"]}
    assert {"mobilefacenet-casia", "sface"} <= set(models)
    assert [name for name, model in models.items() if model["default"]] == ["facepipe-mobilenet"]
    assert [name for name, model in models.items() if model["cached"]] == ["facepipe-mobilenet"], "it ships"
    assert models["sface"]["card"]["input"]["size"] == [112, 112]
    backbones = {backbone["name"]: backbone for backbone in told["backbones"]}
    assert {"sphereface20", "iresnet50", "mobilefacenet"} <= set(backbones)
    assert 0.9e6 < backbones["mobilefacenet"]["parameters"] < 1.1e6
    assert not cache.exists(), "listing writes nothing"


def test_list_for_people():
    for words in (["models", "list"], ["models"]):
        ended = run(*words)
        assert ended.code == 0 and "mobilefacenet-casia" in ended.out and "sphereface64" not in ended.out
        assert "facepipe-mobilenet (default)" in ended.out and ended.err == ""
        told = run("models", "list", "--json").json
        lines = ended.out.splitlines()
        assert len(lines) == 1 + len(told["models"]) + 2 + len(told["detectors"]), "one line a model"
    assert "sphereface64" in run("models", "list", "--backbones").out


def test_show():
    card = find_card("mobilefacenet-casia")
    told = run("models", "show", "mobilefacenet-casia", "--json").json
    assert told["weights"]["sha256"] == card.weights.sha256 and told["cached"] is False
    people = run("models", "show", "mobilefacenet-casia").out
    assert card.weights.sha256 in people and "file: not available" in people and "FAR 0.001: cosine" in people


def test_show_a_run_folder(weights):
    told = run("models", "show", weights.parent, "--json").json
    assert (told["name"], told["cached"], told["path"]) == ("tiny", True, str(weights))


def test_names_that_are_no_models():
    for word in ("show", "pull"):
        assert refused("models", word, "nobody").startswith("unknown model 'nobody'; choose one of facepipe-mobilenet")


def test_import_of_a_listed_model_checks_its_hash(tmp_path, weights, cache):
    line = refused("models", "import", "sface", weights)
    assert line.startswith(f"{weights}: not the weights of sface: SHA-256 must be {find_card('sface').weights.sha256}")
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in line
    assert "no such file" in refused("models", "import", "sface", tmp_path / "missing.onnx")
    assert "has a card" in refused("models", "import", "sface", weights, "--backbone", "mobilefacenet")
    assert not any(path.is_file() for path in cache.rglob("*"))


def test_import_of_a_foreign_checkpoint(tmp_path, weights):
    from safetensors.torch import save_file

    from facepipe.backbones import create

    file = tmp_path / "mine.safetensors"
    save_file(create("mobilefacenet", input_size=(112, 112), embedding_dim=128).state_dict(), file)
    assert "new has no card" in refused("models", "import", "new", file)
    line = refused("models", "import", "new", weights, "--backbone", "mobilefacenet")
    assert str(weights) in line and "missing" in line
    assert "nonsense" in refused("models", "import", "new", file, "--backbone", "nonsense")
    words = ["models", "import", "new", file, "--backbone", "mobilefacenet", "--channels", "bgr", "--flip", "sum"]
    ended = run(*words)
    assert (ended.code, ended.err) == (0, "") and "'facepipe models show new'" in ended.out
    told = run("models", "show", "new", "--json").json
    assert told["cached"] and told["input"]["channels"] == "bgr" and told["embedding"] == {"dim": 128, "flip": "sum"}
    assert "SHA-256" not in refused(*words)  # the name is taken now, and that is what it says
    assert run(*words, "--overwrite").code == 0


def test_import_with_options_of_the_network(tmp_path, cache):
    """SCF's ResNet-100 is TFace's without the inner batch norms; told apart by an option, kept in the card."""
    import torch

    from facepipe.backbones import create

    file = tmp_path / "scf.pth"
    torch.save(create("ir34", embedding_dim=16, inner_norm=False).state_dict(), file)
    words = ["models", "import", "scf", file, "--backbone", "ir34", "--scale", "128"]
    assert "res_layer" in refused(*words)
    assert "has no option 'inner'; did you mean 'inner_norm'" in refused(*words, "--option", "inner=false")
    assert "--option inner_norm: must be NAME=VALUE, with true" in refused(*words, "--option", "inner_norm")
    assert run(*words, "--option", "inner_norm=false").code == 0
    told = run("models", "show", "scf", "--json").json
    assert told["backbone_options"] == {"inner_norm": False} and told["embedding"]["dim"] == 16
    (tmp_path / "other.onnx").write_bytes(b"x")
    line = refused("models", "import", "other", tmp_path / "other.onnx", "--option", "inner_norm=false")
    assert "includes its network; leave the backbone and its options out" in line


def test_import_of_published_weights(shared, cache):
    card = find_card("mobilefacenet-casia")
    file = shared / "weights" / card.weights.file
    ended = run("models", "import", "mobilefacenet-casia", file)
    assert (ended.code, ended.err) == (0, "")
    listed = run("models", "list", "--json").json["models"]
    assert [model["name"] for model in listed if model["cached"]] == ["facepipe-mobilenet", "mobilefacenet-casia"]
    assert run("models").err == ""


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path, shared):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "file"))
    file = shared / "weights" / find_card("mobilefacenet-casia").weights.file
    assert "set FACEPIPE_CACHE" in refused("models", "import", "mobilefacenet-casia", file)


def test_pull_without_a_network_says_what_to_do_by_hand(monkeypatch):
    from requests import ConnectionError as Unreachable

    def get(*words, **options):
        raise Unreachable("no route")

    monkeypatch.setattr("requests.get", get)
    line = refused("models", "pull", "mobilefacenet-casia")
    assert "'facepipe models import mobilefacenet-casia FILE'" in line


def test_a_damaged_card_of_a_user_does_not_hide_the_others(cache, weights):
    (cache / "cards").mkdir(parents=True)
    (cache / "cards" / "broken.toml").write_text("name = ")
    shutil.copy(weights.parent / "card.toml", cache / "cards" / "tiny.toml")
    told = {model["name"]: model for model in run("models", "list", "--json").json["models"]}
    assert told["broken"]["card"] is None and told["broken"]["problem"]
    assert told["tiny"]["card"]["title"] == "an untrained network" and "sface" in told
    assert "damaged" in run("models").out


def test_export_gives_a_card_that_loads(tmp_path, weights):
    ended = run("models", "export", weights.parent, tmp_path / "out", "--name", "other")
    assert (ended.code, ended.out) == (0, f"card: {tmp_path / 'out' / 'other.toml'}\n")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["other.onnx", "other.safetensors", "other.toml"]
    told = run("models", "show", tmp_path / "out" / "other.toml", "--json").json
    assert (told["name"], told["cached"]) == ("other", True)
    assert (tmp_path / "out" / "other.safetensors").read_bytes() == weights.read_bytes()


def test_export_refuses_what_cannot_be_handed_on(tmp_path, weights):
    assert "is not a valid model name" in refused("models", "export", weights.parent, tmp_path / "out", "--name", "A B")
    assert "missing or damaged" in refused("models", "export", "sface", tmp_path / "out")
    (tmp_path / "file").touch()
    told = refused("models", "export", weights.parent, tmp_path / "file")
    assert told.startswith(f"{tmp_path / 'file'}: is a file, not a folder")
    assert not (tmp_path / "out").exists()
