"""``facepipe embed`` and ``facepipe eval lfw`` on what it wrote."""

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_run import refused, run, tiny_model

from facepipe import embed_dataset
from facepipe.embedding import EmbeddingsWriter, load_embeddings
from facepipe.images import write_rgb

PEOPLE = ("Ada", "Bo", "Cy", "Di")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def faces(tmp_path_factory, astronaut):
    """LFW in small: two images of each of four people, who are one face in four places."""
    root = tmp_path_factory.mktemp("lfw")
    for person, name in enumerate(PEOPLE):
        for number in (1, 2):
            image = cv2.resize(astronaut, (150 + 10 * number,) * 2, interpolation=cv2.INTER_AREA)
            image = np.roll(image, 7 * person, axis=1)
            write_rgb(root / name / f"{name}_{number:04d}.jpg", image)
    return root


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.txt"
    lines = ["2 2"]
    for a, b in (PEOPLE[:2], PEOPLE[2:]):
        lines += [f"{a} 1 2", f"{b} 1 2", f"{a} 1 {b} 2", f"{a} 2 {b} 1"]
    path.write_text("\n".join(lines).replace(" ", "\t") + "\n")
    return path


def test_embed_writes_one_row_per_image(faces, model, tmp_path):
    out = tmp_path / "new" / "a.parquet"
    ended = run("embed", faces / "Ada", faces / "Bo" / "Bo_0002.jpg", "-o", out, "--model", model, "--json")
    told = ended.json
    assert (told["out"], told["embedded"], told["failed"]) == (str(out), 3, 0) and told["model"].startswith("tiny@")
    embeddings = load_embeddings(out)
    assert embeddings.paths == tuple(
        str(faces / name) for name in ("Ada/Ada_0001.jpg", "Ada/Ada_0002.jpg", "Bo/Bo_0002.jpg")
    )
    assert (embeddings.mu.shape, embeddings.flip, embeddings.model) == ((3, 16), "concat", told["model"])
    assert pq.read_table(out).column_names == ["path", "mu", "detected", "error", "detection_score", "origin"]


def test_embed_options(faces, model, tmp_path):
    ended = run("embed", faces, "-o", tmp_path / "a.parquet", "-m", model, "--flip", "none", "--precision", "float32")
    assert ended.code == 0 and ended.out.startswith(f"{tmp_path / 'a.parquet'}: 8 embeddings of tiny@")
    assert load_embeddings(tmp_path / "a.parquet").mu.shape == (8, 8)


def test_images_without_a_face_are_listed(faces, model, tmp_path):
    raw = tmp_path / "raw"
    write_rgb(raw / "a.png", np.full((80, 80, 3), 99, np.uint8))
    (raw / "b.jpg").write_text("no image")
    out = tmp_path / "a.parquet"
    ended = run("embed", faces / "Ada", raw, "-o", out, "-m", model, "--json")
    assert (ended.json["embedded"], ended.json["failed"]) == (2, 2)
    assert ended.err.splitlines()[0] == f"{raw / 'a.png'}: no face found"
    assert dict(load_embeddings(out).failed)[str(raw / "a.png")] == "no face found"
    centred = run("embed", raw, "-o", out, "-m", model, "--on-miss", "centre", "--json").json
    assert (centred["embedded"], centred["failed"]) == (1, 1)
    assert load_embeddings(out).detected.tolist() == [False]


def test_nothing_to_embed_leaves_no_file(model, tmp_path):
    write_rgb(tmp_path / "a.png", np.full((80, 80, 3), 99, np.uint8))
    ended = run("embed", tmp_path, "-o", tmp_path / "a.parquet", "-m", model)
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == f"facepipe: {tmp_path}: nothing to embed (1 image without a usable face)"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_embed_then_eval_equals_eval_of_the_images(faces, pairs, model, tmp_path):
    assert run("embed", faces, "-o", tmp_path / "a.parquet", "-m", model, "--faces", "centre").code == 0
    from_file = run("eval", "lfw", tmp_path / "a.parquet", "--pairs", pairs, "--json")
    assert from_file.err == ""
    result = from_file.json
    assert 0 <= result["accuracy"] <= 1 and result["std_error"] >= 0
    assert [set(fold) for fold in result["folds"]] == [{"accuracy", "threshold", "pairs"}] * 2
    assert (result["undetected"], result["images"], result["pairs"]) == (0, 8, 8)
    assert result["accuracy"] == pytest.approx(np.mean([fold["accuracy"] for fold in result["folds"]]))
    from_images = run("eval", "lfw", faces, "--pairs", pairs, "-m", model, "--json", "--save", tmp_path / "b.parquet")
    assert from_images.json == result
    assert run("eval", "lfw", tmp_path / "b.parquet", "--pairs", pairs, "--json").json == result


def test_eval_of_aligned_crops(faces, pairs, model, tmp_path):
    assert run("preprocess", faces, tmp_path, "--template", "112x96", "--format", "png").code == 0
    result = run("eval", "lfw", tmp_path, "--pairs", pairs, "-m", model, "--already-aligned", "--json").json
    whole = run("eval", "lfw", faces, "--pairs", pairs, "-m", model, "--json").json
    assert result["accuracy"] == whole["accuracy"] and result["undetected"] == 0


def test_eval_for_people(faces, pairs, model):
    ended = run("eval", "lfw", faces, "--pairs", pairs, "-m", model, "--rule", "insightface")
    assert ended.code == 0 and "mean" in ended.out and "standard error" in ended.out
    assert ended.err == "0 of 8 images had no detected face\n"


@pytest.mark.slow
def test_images_without_a_detected_face(faces, pairs, model, tmp_path):
    write_rgb(tmp_path / "Ada" / "Ada_0001.jpg", np.full((150, 150, 3), 99, np.uint8))
    for path in sorted(faces.rglob("*.jpg"))[1:]:
        copy = tmp_path / path.relative_to(faces)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    words = ["eval", "lfw", tmp_path, "--pairs", pairs, "-m", model]
    assert run(*words, "--json").json["undetected"] == 1
    skipped = run(*words, "--on-miss", "skip", "--json").json
    assert (skipped["undetected"], skipped["pairs"]) == (1, 6)
    assert "Ada/Ada_0001: no face found" in refused(*words, "--on-miss", "fail")
    assert "1 of 8 images had no detected face; their centre was used" in run(*words).err


def test_eval_errors_are_one_line(faces, pairs, model, tmp_path):
    words = ["--pairs", pairs, "-m", model]
    assert "Ada_0001.*: no such image" in refused("eval", "lfw", tmp_path, *words)
    assert "no such file or folder" in refused("eval", "lfw", tmp_path / "x", *words)
    assert "no such file or folder" in refused("eval", "lfw", faces, "--pairs", tmp_path / "x.txt", "-m", model)
    (tmp_path / "a.parquet").write_text("no table")
    assert "not a readable embeddings file" in refused("eval", "lfw", tmp_path / "a.parquet", "--pairs", pairs)
    assert "do not apply" in refused("eval", "lfw", tmp_path / "a.parquet", *words)


def test_cut_off_it_goes_on_in_steps_of_time(faces, model, tmp_path, monkeypatch):
    """What was embedded before a kill is taken over, and the file is the one of a run that was left alone."""
    monkeypatch.setattr("facepipe.embedding.begun_file.KEEP_SECONDS", 0.0)
    monkeypatch.setattr("facepipe.pipeline.STEP", 2)
    words = ["embed", faces, "-m", model, "--already-aligned", "-o"]
    assert run(*words, tmp_path / "alone.parquet").code == 0
    assert not (tmp_path / ".facepipe").exists(), "nothing is left of what was kept"
    embed, read, batches = embed_dataset.read_marked, [], []

    def watched(path, *more, **named):
        read.append(path)
        return embed(path, *more, **named)

    def killed(batch):
        batches.append(batch)
        if len(batches) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(embed_dataset, "read_marked", watched)
    out = tmp_path / "out.parquet"
    with pytest.MonkeyPatch.context() as patch:
        write = EmbeddingsWriter.write
        patch.setattr(EmbeddingsWriter, "write", lambda *a, **b: (write(*a, **b), killed(a))[0])
        ended = run(*words, out)
    assert ended.code == 130 and "finished embeddings are kept; the same command resumes from there" in ended.err
    assert not out.exists() and len(list((tmp_path / ".facepipe" / "out.parquet.begun").iterdir())) == 1
    stream = next((tmp_path / ".facepipe" / "out.parquet.begun").iterdir())
    stream.write_bytes(stream.read_bytes() + b"\xff\xff\xff\xff\x40\0\0\0 cut off")
    read.clear()
    again = run(*words, out)
    assert again.code == 0 and "resuming an interrupted run, 6 images already embedded" in again.err
    assert len(read) == 2, "six of eight were kept"
    ours, theirs = (load_embeddings(tmp_path / name) for name in ("alone.parquet", "out.parquet"))
    assert ours.paths == theirs.paths and (ours.mu == theirs.mu).all()
    assert not (tmp_path / ".facepipe").exists()


def test_what_was_begun_otherwise_is_forgotten(faces, model, tmp_path, monkeypatch):
    monkeypatch.setattr("facepipe.embedding.begun_file.KEEP_SECONDS", 0.0)
    out = tmp_path / "out.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EmbeddingsWriter, "__exit__", lambda self, *_: self._begun.close())
        run("embed", faces, "-m", model, "--already-aligned", "-o", out)
    assert (tmp_path / ".facepipe" / "out.parquet.begun").is_dir() and not out.exists()
    ended = run("embed", faces, "-m", model, "--already-aligned", "--flip", "none", "-o", out)
    assert ended.code == 0 and "goes on" not in ended.err and load_embeddings(out).flip == "none"
    assert not (tmp_path / ".facepipe").exists()
