"""Model cards: what they hold, and errors that name the file, the field and the nearest known one."""

import tomllib
from dataclasses import FrozenInstanceError, replace

import pytest

from facepipe.backbones import create
from facepipe.errors import ModelError
from facepipe.zoo import DEFAULT, available, find_card, read_card, save_card

SHA = "0123456789abcdef" * 4
TEXT = f"""
name = "tiny"
title = "A small network"
backbone = "sphereface4"
[backbone_options]
width = 0.125
[input]
size = [112, 96]
template = "112x96"
channels = "bgr"
mean = 127.5
scale = 128
[embedding]
dim = 8
flip = "concat"
[weights]
file = "tiny.pt"
format = "torch"
sha256 = "{SHA}"
[[thresholds]]
far = 1e-3
value = 0.31
calibrated_on = "LFW"
[[thresholds]]
far = 1e-2
value = 0.22
calibrated_on = "LFW"
[[thresholds]]
far = 1e-3
value = 0.35
flip = "none"
calibrated_on = "LFW"
[source]
licence = "MIT"
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "tiny.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_read(write):
    card = read_card(write(TEXT))
    assert (card.name, card.backbone, card.backbone_options) == ("tiny", "sphereface4", {"width": 0.125})
    assert card.input.size == (112, 96)
    assert (card.input.mean, card.input.scale, card.input.channels) == (127.5, 128.0, "bgr")
    assert (card.embedding.dim, card.embedding.flip) == (8, "concat")
    assert card.identity == "tiny@0123456789ab/112x96-cp2tform"
    assert card.source.licence == "MIT" and card.source.paper == ""
    assert card.thresholds[0].score == "cosine"


def test_written_card_reads_the_same(write, tmp_path):
    card = read_card(write(TEXT))
    save_card(card, tmp_path / "new" / "tiny.toml")
    assert read_card(tmp_path / "new" / "tiny.toml") == card
    with (tmp_path / "new" / "tiny.toml").open("rb") as file:
        assert tomllib.load(file)["weights"] == {"file": "tiny.pt", "format": "torch", "sha256": SHA}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["tiny.toml"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("channels =", "chanels =", "unknown field input.chanels; did you mean 'channels'? (and 1 more"),
        ("[source]", "[sauce]", "unknown field sauce; did you mean 'source'?"),
        ("licence =", "zzz =", "unknown field source.zzz; the fields here are training_data, licence"),
        ("value = 0.22", "valeu = 0.22", "unknown field thresholds[2].valeu; did you mean 'value'?"),
        ("dim = 8", "", "field embedding.dim is missing"),
        ('"bgr"', '"brg"', "field input.channels should be 'rgb' or 'bgr', got 'brg'"),
        ("[112, 96]", "[112]", "field input.size[2] is missing"),
        ("[112, 96]", '[112, "96"]', "field input.size[2] should be a valid integer, got '96'"),
        ("scale = 128", "scale = 0", "field input.scale should be greater than 0, got 0"),
        ("mean = 127.5", "mean = nan", "field input.mean should be a finite number"),
        ("mean = 127.5", 'mean = "127.5"', "field input.mean should be a valid number, got '127.5'"),
        (SHA, SHA[:-1], "field weights.sha256"),
        ("tiny.pt", "../tiny.pt", "field weights.file must be a file name"),
        ("tiny.pt", "/etc/passwd", "field weights.file must be a file name"),
        ("tiny.pt", "c:tiny.pt", "field weights.file must be a file name"),
        ("far = 1e-2", "far = 1", "field thresholds[2].far should be less than 1"),
        ('"torch"', '"onnx"', "leave backbone and backbone_options out"),
        ('backbone = "sphereface4"', "", "field backbone is missing"),
        ('format = "torch"', 'format = "safetensors"\nkey = "net"', "weights.key is for torch checkpoints"),
        ('format = "torch"', 'format = "torch"\nurl = "ftp://x"', "field weights.url"),
        ('name = "tiny"', 'name = "Tiny one"', "field name"),
        ("dim = 8", "dim = ", "not valid TOML"),
    ],
)
def test_errors_name_file_and_field(write, old, new, message):
    assert old in TEXT
    path = write(TEXT.replace(old, new, 1))
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(ModelError, match=r"no\.toml: cannot read this model card"):
        read_card(tmp_path / "no.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"x\.toml: not a model card"):
        read_card(tmp_path / "x.toml")


def test_save_where_no_folder_can_be(write, tmp_path):
    card = read_card(write(TEXT))
    with pytest.raises(ModelError, match=r"cannot write this model card"):
        save_card(card, write(TEXT) / "below" / "x.toml")


def test_threshold_at(write):
    card = read_card(write(TEXT))
    assert card.threshold_at(1e-3).value == 0.31
    assert card.threshold_at(0.001 * (1 + 1e-12)).value == 0.31
    assert card.threshold_at(1e-2, flip="concat").value == 0.22
    assert card.threshold_at(1e-3, flip="none").value == 0.35
    with pytest.raises(ModelError, match=r"cosine scores at FAR 0\.0001; it has FAR 0\.01, 0\.001; a stricter"):
        card.threshold_at(1e-4)
    with pytest.raises(ModelError, match=r"at FAR 0\.005; it has FAR 0\.01, 0\.001$"):
        card.threshold_at(5e-3)
    with pytest.raises(ModelError, match="no decision thresholds for mls scores"):
        card.threshold_at(1e-3, "mls")
    with pytest.raises(ModelError, match="with flip sum"):
        card.threshold_at(1e-3, flip="sum")


def test_card_is_frozen(write):
    card = read_card(write(TEXT))
    with pytest.raises(FrozenInstanceError):
        card.input.mean = 0.0


def test_shipped_cards_are_whole():
    shipped = {status.name: status for status in available() if status.shipped}
    assert {"mobilefacenet-casia", "sface"} <= set(shipped)
    for status in shipped.values():
        card = status.card
        assert card is not None, status.problem
        assert card.name == status.name == status.path.stem
        height, width = card.input.size
        assert card.input.template == f"{height}x{width}"
        assert card.weights.size_bytes
        assert card.weights.url.startswith("https://") != (card.name == DEFAULT)  # its weights ship instead
        assert card.source.licence and card.source.homepage
        if card.backbone:
            create(card.backbone, input_size=card.input.size, embedding_dim=card.embedding.dim)


def test_shipped_cards_match_the_files(shared):
    import hashlib

    for name in ("mobilefacenet-casia", "sface"):
        weights = find_card(name).weights
        data = (shared / "weights" / weights.file).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (weights.size_bytes, weights.sha256)


HEAD = '[uncertainty]\nhead = "compact"\nquantiles = [10, 20, 40.0]\nmeasured_on = "nobody"\n'


def test_the_share_of_reference_kappas_below_a_value(write):
    section = read_card(write(TEXT + HEAD)).uncertainty
    places = {5: 0, 10: 0, 15: 0.25, 20: 0.5, 30: 0.75, 40: 1, 99: 1}
    assert {value: section.share_below(value) for value in places} == pytest.approx(places)
    assert read_card(write(TEXT + '[uncertainty]\nhead = "compact"\n')).uncertainty.share_below(5) is None
    flat = replace(section, quantiles=(1.0, 3.0, 3.0, 3.0, 5.0))
    assert [flat.share_below(value) for value in (0, 1, 2, 3, 4, 5)] == pytest.approx([0, 0, 0.125, 0.75, 0.875, 1])


@pytest.mark.parametrize("quantiles", ["[1]", "[2, 1]", "[1, nan]", "['a', 'b']"])
def test_an_invalid_reference(write, quantiles):
    with pytest.raises(ModelError, match=r"tiny\.toml: field uncertainty\.quantiles"):
        read_card(write(TEXT + f'[uncertainty]\nhead = "compact"\nquantiles = {quantiles}\n'))
