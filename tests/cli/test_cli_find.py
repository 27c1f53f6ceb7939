"""``facepipe find``: a folder's faces are embedded once, kept, and refreshed; hits are judged."""

import json
import shutil
import stat

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.errors import NoFaceError
from facepipe.files import Mark
from facepipe.identification.folder_faces import photo_of
from facepipe.identification.hits import judge_of
from facepipe.images import write_rgb
from facepipe.zoo import read_card

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def face(astronaut):
    return cv2.resize(astronaut[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "folders"


@pytest.fixture
def folder(tmp_path, face):
    """Three photos: the face, its mirror image in a folder beside a text, two faces; and one without any."""
    root = tmp_path / "photos"
    write_rgb(root / "a.png", face)
    write_rgb(root / "deep" / "b.png", np.ascontiguousarray(face[:, ::-1]))
    write_rgb(root / "two.png", np.concatenate([face, face[:, ::-1]], 1))
    write_rgb(root / "wall.png", np.full((60, 60, 3), 90, np.uint8))
    (root / "text.jpg").write_text("no image")
    return root


@pytest.fixture
def words(folder, model):
    return ["find", folder / "a.png", folder, "-m", model, "--threshold", 0.9]


@pytest.fixture
def embedded(monkeypatch):
    """Photos that are embedded, run by run."""
    seen = []

    def counted(batch, *rest):
        seen.extend(image.path.name for image in batch)
        return real(batch, *rest)

    from facepipe.identification import folder_faces as module

    real = module.embed_batch
    monkeypatch.setattr(module, "embed_batch", counted)
    return seen


def test_what_is_found(words, folder, cache):
    told = run(*words, "--json").json
    [search] = told["searches"]
    paths = [hit["path"] for hit in search["hits"]]
    assert paths[0] == str(folder / "a.png") and search["hits"][0]["score"] == pytest.approx(1, abs=1e-4)
    assert sorted(paths) == sorted(map(str, [folder / "a.png", folder / "deep" / "b.png", *[folder / "two.png"] * 2]))
    assert sorted(hit["face"] for hit in search["hits"] if hit["path"].endswith("two.png")) == [1, 2]
    assert (told["photos"], told["faces"]) == (5, 4) and told["changes"]["new"] == 5
    assert {one["path"].rsplit("/", 1)[1]: one["error"][:12] for one in told["failed"]} == {
        "text.jpg": "not an image",
        "wall.png": "no face foun",
    }
    assert all(hit["verdict"] == ("match" if hit["score"] >= 0.9 else "no match") for hit in search["hits"])
    assert told["judge"]["decision"]["threshold"] == 0.9
    assert [hit["is_query"] for hit in search["hits"]] == [path == str(folder / "a.png") for path in paths]
    kept = list(cache.iterdir())
    assert {path.suffix for path in kept if not path.name.startswith(".")} == {".parquet", ".json"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept if path.suffix in (".parquet", ".json"))


def test_for_people(words, folder):
    ended = run(*words, "--top", 2)
    lines = ended.out.splitlines()
    assert lines[0] == str(folder / "a.png") and len(lines) == 1 + 1 + 2 + 1
    assert "this photo" in lines[2] and lines[2].endswith(str(folder / "a.png"))
    assert lines[-1].startswith(f"{folder}: 4 faces of 5 photos searched; shown: ")
    assert "2 photos without a face" in ended.err and "5 new" in ended.err
    assert "no changes" in run(*words).err
    assert run(*words, "--strict").code == 1


def test_only_what_is_new_or_changed_is_embedded_again(words, folder, face, embedded):
    first = run(*words, "--json").json
    assert len(embedded) == 5
    embedded.clear()
    assert run(*words, "--json").json["searches"] == first["searches"] and embedded == []
    # Another date, the same contents.
    (folder / "a.png").touch()
    told = run(*words, "--json").json
    assert (told["changes"], embedded) == ({"new": 0, "changed": 0, "vanished": 0, "touched": 1}, [])
    write_rgb(folder / "new.png", face[:, ::-1].copy())
    write_rgb(folder / "wall.png", face)
    (folder / "deep" / "b.png").unlink()
    told = run(*words, "--json").json
    assert told["changes"] == {"new": 1, "changed": 1, "vanished": 1, "touched": 0}
    assert sorted(embedded) == ["new.png", "wall.png"]
    paths = [hit["path"].rsplit("/", 1)[1] for hit in told["searches"][0]["hits"]]
    assert sorted(paths) == ["a.png", "new.png", "two.png", "two.png", "wall.png"]
    assert [one["path"].rsplit("/", 1)[1] for one in told["failed"]] == ["text.jpg"]
    # As if nothing had been kept.
    afresh = run(*words, "--json", "--forget").json
    again = run(*words, "--json").json
    assert again["changes"]["new"] == 5
    scores = [
        {(hit["path"], hit["face"]): hit["score"] for hit in one["searches"][0]["hits"]} for one in (afresh, again)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_what_was_embedded_before_an_interrupt_is_kept(words, folder, monkeypatch):
    from facepipe.identification import folder_faces as module

    real, calls = module.read_batches, []

    def one_by_one(paths, read):
        for image in (image for batch in real(paths, 1, read=read) for image in batch):
            calls.append(image.path.name)
            if len(calls) == 3:
                raise KeyboardInterrupt
            yield [image]

    monkeypatch.setattr(module, "read_batches", one_by_one)
    assert run(*words).code == 130
    calls.extend(["so that it is not interrupted again"])
    told = run(*words, "--json").json
    assert told["changes"]["new"] == 3 and told["faces"] == 4


@pytest.mark.parametrize("damage", ["parquet", "json"])
def test_damage_in_the_cache_costs_time_only(words, cache, damage):
    first = run(*words, "--json").json
    next(cache.glob(f"*.{damage}")).write_bytes(b"damage")
    again = run(*words, "--json").json
    assert again["changes"]["new"] == 5 and again["searches"] == first["searches"]


def test_another_model_or_detector_is_kept_apart(words, model, tmp_path, cache):
    run(*words)
    other = tmp_path / "other"
    shutil.copytree(model, other)
    card = (other / "card.toml").read_text()
    (other / "card.toml").write_text(card.replace('flip = "concat"', 'flip = "sum"'))
    changed = [word if word != model else other for word in words]
    assert run(*changed, "--json").json["changes"]["new"] == 5
    assert run(*words, "--min-face", 30, "--json").json["changes"]["new"] == 5
    assert len(list(cache.glob("*.json"))) == 3
    about = json.loads(next(cache.glob("*.json")).read_text())
    assert all(Mark(**mark).size > 0 for mark in about["marks"].values())


def test_several_faces_in_the_query(words, folder):
    crowd = [words[0], folder / "two.png", *words[2:]]
    ended = run(*crowd, "--json")
    assert "2 faces, one of which is searched; choose with --faces" in ended.err
    assert len(ended.json["searches"]) == 1
    both = run(*crowd, "--faces", "all", "--json").json["searches"]
    assert [search["query"] for search in both] == [str(folder / "two.png"), f"{folder / 'two.png'}#1"]


def test_bad_input(words, folder, model, tmp_path):
    assert "no such file or folder" in refused("find", folder / "a.png", tmp_path / "gone", "-m", model)
    assert "compare single photos with 'facepipe compare'" in refused("find", folder / "a.png", folder / "a.png")
    assert "not an image" in refused("find", folder / "text.jpg", folder, "-m", model)
    assert "no face found" in refused("find", folder / "wall.png", folder, "-m", model)
    (tmp_path / "empty").mkdir()
    assert "contains no images" in refused("find", folder / "a.png", tmp_path / "empty", "-m", model)


def test_as_a_function(words, folder, model):
    import facepipe

    told = run(*words, "--json").json["searches"][0]["hits"]
    found = facepipe.Pipeline(model, precision="float32").find(folder / "a.png", folder)
    assert [(str(hit.path), hit.face) for hit in found] == [(hit["path"], hit["face"]) for hit in told]
    assert [hit.score for hit in found] == pytest.approx([hit["score"] for hit in told], abs=1e-6)
    assert {hit.verdict for hit in found} <= {"match", "no match"}
    with pytest.raises(NoFaceError, match="no face found"):
        facepipe.Pipeline(model).find(folder / "wall.png", folder)


def test_photos_of_faces():
    assert photo_of("a/b.png") == ("a/b.png", 1) and photo_of("a/b.png#2") == ("a/b.png", 3)
    assert photo_of("a#b.png") == ("a#b.png", 1)


def test_the_larger_the_folder_the_stricter(model):
    card = read_card(model / "card.toml")
    judge = judge_of(card, 3)
    assert judge(0.5) == "match" and judge(0.49) == "no match"
    assert judge_of(None, 3)(0.9) is None and "no thresholds" in judge_of(None, 3).reason
    assert judge_of(card, 10_000).reason, "one threshold says nothing of so many"
    from facepipe.zoo import find_card

    known = find_card("facepipe-mobilenet")
    small, large = judge_of(known, 10), judge_of(known, 10_000)
    assert small.decision.threshold < large.decision.threshold
    between = (small.possible + large.decision.threshold) / 2
    assert large(between) == "possible" and large(1.0) == "match" and large(0.0) == "no match"
