"""The command line as a user meets it: what is printed, where, and the exit codes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facepipe.cli.main as program
from facepipe.images import read_rgb, write_rgb

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


@pytest.mark.parametrize("name", list(program.COMMANDS))
def test_every_command_explains_itself(run, name):
    code, out, _ = run(name, "--help")
    assert code == 0
    assert "Usage:" in out


def test_the_overview_needs_no_pytorch():
    code = "import sys, facepipe.cli.main as m; sys.argv = ['facepipe', '--help']"
    script = f"{code}\ntry: m.main()\nexcept SystemExit: pass\nassert not {{'torch', 'cv2'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "preprocess" in done.stdout


def test_as_a_module_with_a_missing_file(tmp_path):
    command = [sys.executable, "-m", "facepipe", "compare", tmp_path / "a.jpg", tmp_path / "b.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2
    assert done.stderr == f"facepipe: {tmp_path / 'a.jpg'}: no such file; check the path\n"
    assert done.stdout == ""


def test_detect_writes_json_lines(run, photos):
    code, out, err = run("detect", photos, "--json")
    lines = {Path(line["path"]).name: line for line in map(json.loads, out.splitlines())}
    assert code == 0
    assert set(lines) == {"face.jpg", "mirror.png", "two.jpg", "nobody.png", "text.jpg", "cut.jpg"}
    assert [len(lines[name]["faces"]) for name in ("face.jpg", "mirror.png", "two.jpg", "nobody.png")] == [1, 1, 2, 0]
    face = lines["face.jpg"]["faces"][0]
    assert len(face["box"]) == 4
    assert np.shape(face["landmarks"]) == (5, 2)
    assert 0.9 < face["score"] <= 1
    assert "not an image" in lines["text.jpg"]["error"]
    assert "truncated" in lines["cut.jpg"]["error"]
    assert "2 of 6 images could not be read" in err


def test_detect_for_people_and_its_pictures(run, photos, tmp_path):
    code, out, _ = run("detect", photos / "two.jpg", "--preset", "fast", "--save", tmp_path)
    assert code == 0
    assert "two.jpg: 2 faces" in out
    assert len(list(tmp_path.glob("*two.jpg"))) == 1


def test_detect_refuses_nonsense(run, photos, tmp_path):
    assert run("detect", tmp_path)[0] == 2
    assert run("detect", photos / "text.jpg")[0] == 2
    code, _, err = run("detect", photos, "--factor", "2")
    assert code == 2
    assert "factor 2.0 must lie between" in err
    code, _, err = run("detect", photos, "--device", "cuda:99")
    assert code == 2
    assert len(err.splitlines()) == 1


def test_damaged_files_are_each_listed_with_a_reason(run, photos, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(60):
        source = (photos / ("face.jpg", "mirror.png")[number % 2]).read_bytes()
        damaged = bytearray(source[: rng.integers(0, len(source))] if number % 3 else source)
        for place in rng.integers(0, max(1, len(damaged)), 30 * (number % 3 != 1)):
            if len(damaged):
                damaged[place] = rng.integers(256)
        (tmp_path / f"{number:02d}{('.jpg', '.png')[number % 2]}").write_bytes(damaged)
    code, out, _ = run("detect", tmp_path, "--json", "--min-face", "60")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code in (0, 2)
    assert len(lines) == 60
    assert all(("error" in line) != ("faces" in line) for line in lines)
    assert sum("error" in line for line in lines) > 30
    assert all(line["error"] for line in lines if "error" in line)


def test_align_writes_crops(run, photos, tmp_path):
    options = "-o", tmp_path, "--template", "112x96", "--faces", "all"
    code, out, err = run("align", photos / "two.jpg", photos / "nobody.png", *options)
    assert code == 0
    assert sorted(map(Path, out.split())) == [tmp_path / "two.png", tmp_path / "two_1.png"]
    assert read_rgb(tmp_path / "two_1.png").shape == (112, 96, 3)
    assert "nobody.png: no face found" in err


def test_without_a_model_it_says_how_to_get_one(run, photos):
    code, _, err = run("compare", photos / "face.jpg", photos / "mirror.png")
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
    assert out.startswith("different people")
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
    code, out, _ = run("embed", lfw, "-o", stored, "--model", "mobilefacenet-casia", "--json")
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
    assert {model["name"] for model in listed["models"] if model["cached"]} == {"mobilefacenet-casia", "sface"}
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
    assert "different people" in out
    assert (tmp_path / "demo.jpg").is_file()
