"""The command line as a user meets it: what is printed, where, and the exit codes."""

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

import facepipe.cli.main as program
from facepipe.images import write_rgb

pytestmark = pytest.mark.slow
SFACE = "face_recognition_sface_2021dec_int8bq.onnx"
MOBILE = "mobilefacenet_casia_112x96.ckpt"


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``facepipe`` in this process: (exit code, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["facepipe", *map(str, words)])
        with pytest.raises(SystemExit) as done:
            program.main()
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return int(done.value.code or 0), told.out, told.err

    return call


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut):
    """A face, its mirror image, two faces, no face, a text, a cut JPEG."""
    folder = tmp_path_factory.mktemp("photos")
    face = astronaut[:256, 96:352]
    write_rgb(folder / "face.jpg", face)
    write_rgb(folder / "mirror.png", np.ascontiguousarray(face[:, ::-1]))
    write_rgb(folder / "two.jpg", np.concatenate([face, face], axis=1))
    write_rgb(folder / "nobody.png", np.full((120, 160, 3), 128, np.uint8))
    (folder / "text.jpg").write_text("not an image")
    (folder / "cut.jpg").write_bytes((folder / "face.jpg").read_bytes()[:4000])
    return folder


@pytest.fixture(scope="module")
def models(shared, tmp_path_factory):
    """A cache that holds both models."""
    from facepipe.zoo import find_card, import_weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPIPE_CACHE", str(tmp_path_factory.mktemp("models")))
        import_weights(find_card("mobilefacenet-casia"), shared / "weights" / MOBILE)
        import_weights(find_card("sface"), shared / "weights" / SFACE)
        yield


def test_without_a_model_it_says_how_to_get_one(run, photos):
    code, _, err = run("compare", photos / "face.jpg", photos / "mirror.png", "-m", "sface")
    assert code == 2
    assert "facepipe models pull sface" in err
    code, _, err = run("compare", photos / "face.jpg", photos / "mirror.png", "-m", "sfase")
    assert code == 2
    assert "did you mean 'sface'" in err


def test_compare(run, photos, models, tmp_path):
    picture = tmp_path / "both.png"
    options = "-m", "mobilefacenet-casia", "--json", "--save", picture
    code, out, _ = run("compare", photos / "face.jpg", photos / "mirror.png", *options)
    answer = json.loads(out)
    assert code == 0
    assert answer["same"] is True
    assert answer["score"] > 0.9
    assert answer["far"] == 1e-3
    assert answer["threshold"] > 0.2
    assert answer["calibrated_on"]
    with Image.open(picture) as opened:
        assert opened.size[0] > 700


def test_compare_on_several_faces_and_different_people(run, photos, models, shared):
    other = shared / "data" / "lfw" / "Aaron_Peirsol" / "Aaron_Peirsol_0001.jpg"
    code, out, err = run("compare", photos / "two.jpg", other, "-m", "mobilefacenet-casia", "--check")
    assert code == 1
    assert out.startswith(("different people", "not shown to be the same person"))
    assert "of 2" in out
    assert "several faces" in err
    assert run("compare", photos / "two.jpg", other, "-m", "mobilefacenet-casia")[0] == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nobody.png", "no face found"), ("", "a folder"), ("gone.jpg", "no such file"), ("text.jpg", "not an image")],
)
def test_compare_says_in_one_line_what_is_wrong(run, photos, models, name, reason):
    code, out, err = run("compare", photos / "face.jpg", photos / name, "-m", "mobilefacenet-casia")
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert reason in err
    assert str(photos / name) in err


def test_an_uncalibrated_rate_is_not_invented(run, photos, models):
    code, _, err = run("compare", photos / "face.jpg", photos / "two.jpg", "-m", "mobilefacenet-casia", "--far", "1e-6")
    assert code == 2
    assert "0.001" in err
    options = "-m", "mobilefacenet-casia", "--threshold", "0.5", "--json"
    code, out, _ = run("compare", photos / "face.jpg", photos / "two.jpg", *options)
    assert json.loads(out)["far"] is None


def test_embed_then_evaluate(run, models, shared, tmp_path):
    lfw = tmp_path / "lfw"
    people = ["Aaron_Peirsol", "Abdullah_Gul", "Adam_Scott", "Al_Gore"]
    lines = ["2\t2"]
    for name in people:
        shutil.copytree(shared / "data" / "lfw" / name, lfw / name)
    numbers = {name: sorted(int(path.stem[-4:]) for path in (lfw / name).iterdir()) for name in people}
    for first, second in (people[:2], people[2:]):
        lines += [f"{name}\t{numbers[name][0]}\t{numbers[name][1]}" for name in (first, second)]
        lines += [f"{first}\t{numbers[first][k]}\t{second}\t{numbers[second][k]}" for k in (0, 1)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines))
    stored = tmp_path / "lfw.parquet"
    code, out, _ = run("embed", lfw, "-o", stored, "--model", "mobilefacenet-casia", "--faces", "centre", "--json")
    assert code == 0
    assert json.loads(out)["failed"] == 0
    arguments = "--pairs", tmp_path / "pairs.txt", "--json"
    code, out, _ = run("eval", "lfw", stored, *arguments)
    from_file = json.loads(out)
    assert {"accuracy", "std_error", "folds", "undetected"} <= set(from_file)
    code, out, _ = run("eval", "lfw", lfw, *arguments, "--model", "mobilefacenet-casia")
    assert json.loads(out) == from_file
    code, _, err = run("eval", "lfw", tmp_path / "nowhere", *arguments)
    assert (code, len(err.splitlines())) == (2, 1)


def test_models(run, models, tmp_path):
    code, out, _ = run("models", "list", "--json")
    listed = json.loads(out)
    assert code == 0
    at_hand = {model["name"] for model in listed["models"] if model["cached"]}
    assert at_hand == {"facepipe-mobilenet", "mobilefacenet-casia", "sface"}
    assert {"sphereface20", "iresnet100", "mobilefacenet"} <= {network["name"] for network in listed["backbones"]}
    assert "mobilefacenet-casia" in run("models")[1]
    assert "Apache-2.0" in run("models", "show", "sface")[1]
    (tmp_path / "wrong.ckpt").write_bytes(b"wrong")
    code, _, err = run("models", "import", "sface", tmp_path / "wrong.ckpt")
    assert code == 2
    assert "SHA-256" in err


def test_bench(run, models, shared):
    code, out, _ = run("bench", shared / "data" / "lfw", "-n", 8, "-m", "mobilefacenet-casia", "--json")
    stages = {(row["stage"], row["who"]): row for row in json.loads(out)["stages"]}
    assert code == 0
    assert stages["detect", "facenet-pytorch"]["per_second"] > 0
    assert stages["detect", "facenet-pytorch"]["facepipe_times"] > 0


def test_demo(run, models, tmp_path):
    code, out, _ = run("demo", "-o", tmp_path / "demo.jpg", "-m", "mobilefacenet-casia")
    assert code == 0
    assert out.startswith(("different people", "not shown to be the same person"))
    assert (tmp_path / "demo.jpg").is_file()
