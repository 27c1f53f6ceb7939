"""Who is who: every command that names people by folders, or by what a file says of a photo, does it by one rule.

``001/frontal/01.jpg`` is a photo of 001; ``train/`` and ``test/`` above the people are remarked on; and a person with a
slash in the name stays whole.
"""

import shutil

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_commands import ALL, DOORS
from cli_run import run, tiny_model
from train_tiny import write_recipe, write_shard
from verification_folders import write_crops, write_pairs

from facepipe.images import write_rgb
from facepipe.preprocess.manifest import read_manifest

pytestmark = pytest.mark.slow
PHOTOS = 4
TREES = {
    "poses": ([f"{name}/{pose}/{n}.png" for name in ("001", "002", "003") for pose in ("frontal", "profile")
               for n in range(2)], {1: 3, 2: 2}),
    "splits": ([f"{part}/{n}.png" for part in ("train/a", "train/b", "train/c", "test/a", "test/d")
                for n in range(PHOTOS)], {1: 2, 2: 4}),
}  # fmt: skip
"""Paths, and how many people there are at either depth."""
SLASHED = ("AC/DC", "AC/X", "BC/DC")
"""Three people, by the first part of the name or by the last one two."""
NAMING = {name for name, command in ALL.items() if any(each.name == "identity_depth" for each in command.params)}
NAMELESS = {"detect", "align", "find", "bench", "embed", "search", "cluster"}
"""These look at folders, or at files of embeddings, without telling people apart."""
SHORT = [word for one in ("model.input_size=[112,96]", "schedule.unit=steps", "schedule.length=1", "data.workers=1",
                          "schedule.milestones=[]", "loop.batch=4") for word in ("--set", one)]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def face(astronaut):
    return cv2.resize(astronaut[:300, 80:380], (112, 112))[:, 8:104]


def pictures(face, count):
    return [np.roll(face, 3 * number, 1) for number in range(count)]


@pytest.fixture(scope="module", params=TREES)
def tree(request, tmp_path_factory, face):
    names, people = TREES[request.param]
    root = tmp_path_factory.mktemp("trees") / "raw"
    for name, picture in zip(names, pictures(face, len(names)), strict=True):
        write_rgb(root / name, picture)
    return root, people, request.param == "splits"


def slashed(kind, at, face):
    """A stored collection of three people whose names have slashes, four photos each."""
    owners = [name for name in SLASHED for _ in range(PHOTOS)]
    photos = [cv2.imencode(".png", each[..., ::-1])[1].tobytes() for each in pictures(face, len(owners))]
    if kind == "tar":
        keyed = enumerate(zip(owners, photos, strict=True))
        return write_shard(at / "raw.tar", [(f"{n:03d}", photo, {"identity": who}) for n, (who, photo) in keyed])
    pq.write_table(pa.table({"image": photos, "identity": owners}), at / "raw.parquet")
    return at / "raw.parquet"


def embedded(root, at, model):
    stored = at / "e.parquet"
    if not stored.exists():
        assert run("embed", root, "-o", stored, "-m", model, "--already-aligned").code == 0
    return stored


def preprocess(root, at, model, depth):
    ended = run("preprocess", root, at / "crops", "--already-aligned", *depth)
    return ended, {row["identity"] for row in read_manifest(at / "crops")}


def train(root, at, model, depth):
    ended = run("train", write_recipe(at / "r.toml"), "-d", root, "-o", at / "run", "--device", "cpu", *SHORT, *depth)
    return ended, set((at / "run" / "identities.txt").read_text().splitlines())


def calibrate(root, at, model, depth):
    words = ["--already-aligned"] if root.is_dir() or root.suffix == ".tar" else []
    ended = run("calibrate", shutil.copytree(model, at / "card"), root, "--far", 0.9, *words, *depth, "--json")
    return ended, ended.json["counts"]["people"]


def build(root, at, model, depth):
    ended = run("gallery", "build", root, at / "g.parquet", "-m", model, "--no-turns", *depth, "--json")
    return ended, set(ended.json["people"])


def add(root, at, model, depth):
    first = next(root.rglob("*.png"))
    run("gallery", "build", first, at / "g.parquet", "-m", model, "--no-turns")
    ended = run("gallery", "add", at / "g.parquet", root, "-m", model, "--no-turns", *depth, "--json")
    return ended, set(ended.json["people"]) - {first.stem}


def listed(source, at, model, depth):
    ended = run("gallery", "list", source, *depth, "--json")
    return ended, set(ended.json["people"])


def angles(source, at, model, depth):
    ended = run("inspect", "angles", source, *depth, "--json")
    return ended, ended.json["identities"]


def identify(source, at, model, depth):
    write_rgb(at / "who.png", np.zeros((40, 40, 3), np.uint8))
    ended = run("identify", source, at / "who.png", "-m", model, "--threshold", 0.5, *depth, "--json")
    from facepipe.identification import load_gallery

    known = load_gallery(source, depth[1] if depth else 1)
    return ended, set(known.names)


def megaface(root, at, model, depth):
    words = ["--already-aligned"] if root.is_dir() else []
    made = ["-m", model] if root.is_dir() else []
    ended = run("eval", "megaface", root, root, *words, *made, "--size", 3, *depth, "--json")
    return ended, ended.json["people"]


OF_FOLDERS = {
    "preprocess": preprocess, "train": train, "calibrate": calibrate, "gallery build": build, "gallery add": add,
    "eval megaface": megaface,
}  # fmt: skip
OF_EMBEDDINGS = {
    "gallery list": listed, "inspect angles": angles, "identify": identify, "calibrate": calibrate,
    "eval megaface": megaface,
}  # fmt: skip


def test_every_command_that_names_people_is_in_the_table():
    assert {*OF_FOLDERS, *OF_EMBEDDINGS} == NAMING
    walking = {name for name, door in DOORS.items() if door.walks}
    assert walking <= NAMING | NAMELESS | {"ablate"}, "who is who in what it walks? if nobody, add it to NAMELESS"


def count(people):
    return people if isinstance(people, int) else len(people)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", OF_FOLDERS)
def test_folders(tree, tmp_path, model, name, depth):
    root, people, remarked = tree
    ended, found = OF_FOLDERS[name](root, tmp_path, model, ["--identity-depth", depth] if depth > 1 else [])
    assert (ended.code, count(found)) == (0, people[depth]), ended.err
    assert ("--identity-depth 2" in ended.err + ended.out) == (remarked and depth == 1), ended.err


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", OF_EMBEDDINGS)
def test_embeddings_of_folders(tree, tmp_path, model, name, depth):
    root, people, remarked = tree
    stored = embedded(root, tmp_path, model)
    ended, found = OF_EMBEDDINGS[name](stored, tmp_path, model, ["--identity-depth", depth] if depth > 1 else [])
    assert (ended.code, count(found)) == (0, people[depth]), ended.err
    assert ("--identity-depth 2" in ended.err + ended.out) == (remarked and depth == 1), ended.err


def whole(found):
    return found == 3 or found == set(SLASHED)


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_slashes_in_stored_rows(tmp_path, face, model, kind):
    """Through crops in folders and in packs, and through embeddings, to training, galleries and angles."""
    raw = slashed(kind, tmp_path, face)
    assert whole(preprocess(raw, tmp_path, model, [])[1])
    assert whole(train(tmp_path / "crops", tmp_path, model, [])[1])
    (tmp_path / "crops" / "manifest.parquet").unlink()
    for place in ("folders", "tar", "parquet"):
        at = tmp_path / place
        at.mkdir()
        crops = tmp_path / "crops"
        if place != "folders":
            crops = at / "packed"
            assert run("preprocess", raw, crops, "--already-aligned", "--pack", place).code == 0
        if place != "parquet":
            assert whole(train(crops, at, model, [])[1])
            assert whole(calibrate(crops if place == "folders" else next(crops.glob("*.tar")), at, model, [])[1])
        if place == "folders":
            assert whole(build(crops, at, model, [])[1])
    stored = embedded(raw, tmp_path, model)
    for name, asked in OF_EMBEDDINGS.items():
        at = tmp_path / name
        at.mkdir()
        assert whole(asked(stored, at, model, [])[1]), name


@pytest.mark.parametrize("name", OF_EMBEDDINGS)
def test_slashes_in_a_gallery(tmp_path, face, model, name):
    for number, (who, picture) in enumerate(zip(np.repeat(SLASHED, 2), pictures(face, 6), strict=True)):
        write_rgb(tmp_path / f"{number}.png", picture)
        photo = tmp_path / f"{number}.png"
        if not number:
            photo = (tmp_path / "first" / "AC%2FDC" / "0.png")
            write_rgb(photo, picture)
            assert run("gallery", "build", tmp_path / "first", tmp_path / "g.parquet", "-m", model).code == 0
        else:
            assert run("gallery", "add", tmp_path / "g.parquet", photo, "--name", who, "-m", model).code == 0
    ended, found = OF_EMBEDDINGS[name](tmp_path / "g.parquet", tmp_path, model, [])
    assert whole(found), ended.err
    (tmp_path / "again").mkdir()
    ended, found = OF_EMBEDDINGS[name](tmp_path / "g.parquet", tmp_path / "again", model, ["--identity-depth", 2])
    assert whole(found), "a gallery knows its people"
    assert "--identity-depth 2 does not apply" in ended.err


def test_a_list_of_paths(tmp_path, face, model):
    """As VGGFace2's; of poses below the people it is the people who are learnt."""
    for listed_tree, depth, people in (("poses", 1, 3), ("splits", 1, 2), ("splits", 2, 4)):
        at = tmp_path / f"{listed_tree}{depth}"
        names = TREES[listed_tree][0]
        for name, picture in zip(names, pictures(face, len(names)), strict=True):
            write_rgb(at / "all" / name, picture)
        (at / "list.txt").write_text("".join(f"all/{name}\n" for name in names))
        ended, found = train(at / "list.txt", at, model, ["--identity-depth", depth])
        assert (ended.code, len(found)) == (0, people), ended.err
        assert ("--identity-depth 2" in ended.err) == (listed_tree == "splits" and depth == 1), ended.err


def test_ablate(tmp_path, tree, model):
    root, people, _ = tree
    (tmp_path / "rows.toml").write_text('about = "one"\nrecipe = "sphereface4-small"\n[rows.one]\ntitle = "one"\n')
    names = {f"p{person}/{image}.png": (person, image) for person in range(4) for image in range(4)}
    write_crops(tmp_path / "crops", names)
    measured = f"X=pairs {tmp_path / 'crops'} --already-aligned --pairs {write_pairs(tmp_path / 'pairs.csv', 4)}"
    ended = run("ablate", tmp_path / "rows.toml", measured, "--recipe", write_recipe(tmp_path / "r.toml"), "-d", root,
                "-o", tmp_path / "runs", "--device", "cpu", *SHORT)  # fmt: skip
    found = next((tmp_path / "runs").rglob("identities.txt"), None)
    assert found is not None, ended.err
    assert len(found.read_text().splitlines()) == people[1], ended.err
