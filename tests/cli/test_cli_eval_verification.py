"""``facepipe eval lfw|pairs|cfp|bin|ytf`` on small folders: the formats, the ensembles, and what is refused."""

import json
import pickle
import shutil

import numpy as np
import pytest
from cli_run import refused, run, tiny_model
from verification_folders import crop, other_model, write_crops, write_pairs

from facepipe.embedding import load_embeddings, save_embeddings
from facepipe.images import encode_rgb
from facepipe.score import cosine

PEOPLE = 6
NAMES = {f"p{person}/{image}.png": (person, image) for person in range(PEOPLE) for image in range(4)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return tiny_model(root / "tiny"), other_model(root / "other")


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp("crops"), NAMES)


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("lists") / "pairs.csv", PEOPLE)


def test_pairs_from_crops_and_from_embeddings_are_equal_to_the_digit(crops, listed, models, tmp_path):
    saved = tmp_path / "a.parquet"
    words = ["--pairs", listed, "--json"]
    first = run("eval", "pairs", crops, *words, "-m", models[0], "--already-aligned", "--save", saved).json
    assert run("eval", "pairs", saved, *words).json == first
    assert (first["pairs"], first["genuine"], first["images"], len(first["folds"])) == (48, 24, 24, 4)
    assert first["protocol"] == "pairs" and 0.5 < first["accuracy"] <= 1 and first["undetected"] == 0
    assert [point["far"] for point in first["tar"]] == [0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6]
    assert first["tar"][0]["tar"] > 0 and first["tar"][1]["tar"] is None
    assert first["outcomes"]["pairs"] == 48
    embedded = tmp_path / "b.parquet"
    assert run("embed", crops, "-o", embedded, "-m", models[0], "--already-aligned").code == 0
    assert run("eval", "pairs", embedded, *words).json == first


def test_a_figure_does_not_depend_on_the_processor(crops, listed, models, tmp_path, monkeypatch):
    """Where the hardware has bfloat16, evaluations and stores are in float32 all the same, and mixing is told."""
    words = ["--pairs", listed, "--json"]
    plain = run("eval", "pairs", crops, *words, "-m", models[0], "--already-aligned").json
    monkeypatch.setattr("facepipe.devices.is_faster_in_bfloat16", lambda device: True)
    same = run("eval", "pairs", crops, *words, "-m", models[0], "--already-aligned").json
    assert same == plain and plain["settings"]["precision"] == "float32"
    files = [tmp_path / f"{name}.parquet" for name in ("auto", "bfloat16")]
    for path in files:
        made = run("embed", crops, "-o", path, "-m", models[0], "--already-aligned", "--precision", path.stem)
        assert made.code == 0
    assert [load_embeddings(path).precision for path in files] == ["float32", "bfloat16"]
    other = run("eval", "pairs", files[1], *words).json
    assert other["settings"]["precision"] == "bfloat16" and other["outcomes"]["scores"] != plain["outcomes"]["scores"]
    both = run("eval", "pairs", *files, *words)
    assert "embeddings in bfloat16 and float32 are mixed" in both.err
    assert both.json["settings"]["precision"] == "bfloat16+float32" and "are mixed" in both.json["settings"]["remark"]
    assert "remark" not in other["settings"]


def test_three_rules_and_both_deviations(crops, listed, models, tmp_path):
    saved = tmp_path / "a.parquet"
    run("embed", crops, "-o", saved, "-m", models[0], "--already-aligned")
    for rule in ("sphereface", "insightface", "pfe"):
        told = run("eval", "pairs", saved, "--pairs", listed, "--rule", rule, "--json").json
        assert told["settings"]["rule"] == rule and told["std_dev"] == pytest.approx(told["std_error"] * 3**0.5)
        assert ("val" in told) == (rule == "insightface")
        shown = run("eval", "pairs", saved, "--pairs", listed, "--rule", rule)
        assert "standard error" in shown.out and "standard deviation" in shown.out
        assert ("VAL at FAR 0.001" in shown.out) == (rule == "insightface")


def test_damaged_copies_mixed_in(crops, listed, models, tmp_path):
    saved = tmp_path / "a.parquet"
    words = ["--pairs", listed, "--damage", "standard", "--json"]
    told = run("eval", "pairs", crops, *words, "-m", models[0], "--already-aligned", "--save", saved).json
    assert (told["pairs"], told["genuine"], len(told["folds"])) == (96, 48, 4) and 24 < told["images"] <= 48
    assert told["settings"]["damage"] == "standard" and told["undetected"] == 0
    assert run("eval", "pairs", saved, *words).json == told
    clean = run("eval", "pairs", saved, "--pairs", listed, "--json").json
    assert (clean["pairs"], clean["images"]) == (48, 24) and "damage" not in clean["settings"]
    assert clean["accuracy"] > told["accuracy"]
    assert "with standard damage" in " ".join(run("eval", "pairs", saved, *words[:-1]).out.split())


def test_damage_of_an_ensemble(crops, listed, models, tmp_path):
    words = ["--pairs", listed, "--damage", "standard", "--already-aligned", "-m", models[0]]
    told = run("eval", "pairs", crops, *words, "-m", models[1], "--json").json
    assert told["pairs"] == 96 and "tiny@" in told["settings"]["model"] and "other@" in told["settings"]["model"]
    assert "damage takes one path" in refused("eval", "pairs", crops, crops, *words)


def test_damage_of_embeddings_without_copies(crops, listed, models, tmp_path):
    saved = tmp_path / "a.parquet"
    run("embed", crops, "-o", saved, "-m", models[0], "--already-aligned")
    assert "a.parquet: contains no damaged copies" in refused(
        "eval", "pairs", saved, "--pairs", listed, "--damage", "standard"
    )


def test_other_forms_of_lists(crops, models, tmp_path):
    saved = tmp_path / "a.parquet"
    run("embed", crops, "-o", saved, "-m", models[0], "--already-aligned")
    flat = tmp_path / "flat"
    for name in NAMES:
        (flat / name.replace("/", "_")).parent.mkdir(exist_ok=True)
        shutil.copy(crops / name, flat / name.replace("/", "_"))
    lines = [f"p{p}_{k}.png {p + 1}\np{p}_{k + 1}.png {p + 1}" for p in range(PEOPLE) for k in range(2)]
    lines += [f"p{p}_{k}.png 0\np{(p + 2) % PEOPLE}_{k}.png 0" for p in range(PEOPLE) for k in range(2)]
    (tmp_path / "pairs_CALFW.txt").write_text("\n".join(lines) + "\n")
    words = ["--pairs", tmp_path / "pairs_CALFW.txt", "--format", "two-lines", "-m", models[0], "--already-aligned"]
    told = run("eval", "pairs", flat, *words, "--far", "0.2", "--json").json
    assert (told["pairs"], len(told["folds"])) == (24, 10) and [p["far"] for p in told["tar"]] == [0.2]


@pytest.fixture
def troubled(crops, tmp_path):
    """The crops, one of them missing, one cut off, one empty."""
    folder = shutil.copytree(crops, tmp_path / "troubled")
    (folder / "p0" / "0.png").unlink()
    whole = (folder / "p1" / "1.png").read_bytes()
    (folder / "p1" / "1.png").write_bytes(whole[: len(whole) // 3])
    (folder / "p2" / "2.png").write_bytes(b"")
    return folder


def test_skip_does_without_images_that_cannot_be_read(troubled, listed, models, tmp_path):
    words = ["--pairs", listed, "--on-miss", "skip"]
    made = ["-m", models[0], "--already-aligned"]
    told = run("eval", "pairs", troubled, *words, *made, "--save", tmp_path / "e.parquet", "--json").json
    rows = listed.read_text().splitlines()[1:]
    bad = {"p0/0.png", "p1/1.png", "p2/2.png"}
    left = [row for row in rows if not bad & set(row.split(",")[:2])]
    assert (told["unreadable"], told["pairs"], told["skipped_pairs"]) == (3, len(left), len(rows) - len(left))
    assert told["why_unreadable"] == "p0/0: no such image" and told["images"] == 24 and told["undetected"] == 0
    assert run("eval", "pairs", tmp_path / "e.parquet", *words, "--json").json == told, "and from what was saved"
    shown = run("eval", "pairs", troubled, *words, *made)
    assert "3 of 24 images missing or unreadable, such as p0/0: no such image" in shown.err
    assert f"{len(rows) - len(left)} of {len(rows)} pairs left out" in shown.err
    # What remains is what a list of the pairs that are left gives.
    (tmp_path / "left.csv").write_text("\n".join(["a,b,same,fold", *left]))
    same = run("eval", "pairs", troubled, "--pairs", tmp_path / "left.csv", *made, "--json").json
    assert [fold["accuracy"] for fold in same["folds"]] == [fold["accuracy"] for fold in told["folds"]]
    both = run("eval", "pairs", troubled, *words, "-m", models[0], "-m", models[1], "--already-aligned", "--json").json
    assert both["skipped_pairs"] == told["skipped_pairs"]


@pytest.mark.parametrize("how", ["centre", "fail"])
def test_without_skip_a_missing_image_is_told_before_the_work(troubled, listed, models, how):
    words = ["--pairs", listed, "-m", models[0], "--already-aligned", "--on-miss", how]
    error = refused("eval", "pairs", troubled, *words)
    assert "p0/0.*: no such image (1 of the 24 listed images not found)" in error
    assert "--on-miss skip leaves their pairs out" in error
    shutil.rmtree(troubled / "p3")
    assert "(5 of the 24 listed images" in refused("eval", "pairs", troubled, *words)
    assert "nor any other of the 24" in refused("eval", "pairs", models[0], *words)


def test_for_people(crops, listed, models):
    ended = run("eval", "pairs", crops, "--pairs", listed, "-m", models[0], "--already-aligned", "--rule", "sphereface")
    assert ended.code == 0
    assert "mean" in ended.out and "equal error rate" in ended.out
    assert "24 impostor pairs, fewer than 1/FAR" in " ".join(ended.out.split())
    assert ended.err == "0 of 24 images had no detected face\n"


def test_one_class_says_why(crops, models, tmp_path):
    (tmp_path / "pairs.csv").write_text("a,b,same\np0/0,p0/1,1\np1/0,p1/1,1\n")
    words = ["eval", "pairs", crops, "--pairs", tmp_path / "pairs.csv", "-m", models[0], "--already-aligned"]
    ended = run(*words)
    assert ended.code == 0 and "equal error rate –, area under the ROC curve –" in ended.out
    assert "no accuracy: no impostor pairs" in ended.err
    told = run(*words, "--json").json
    assert told["accuracy"] is None and told["auc"] is None and all(point["tar"] is None for point in told["tar"])


def test_ensembles_of_models_of_files_and_of_folders_are_one(crops, listed, models, tmp_path):
    """Two models on one folder, their two files, and a folder for each: the same scores, means of the cosines."""
    words = ["--pairs", listed, "--json"]
    both = ["-m", models[0], "-m", models[1], "--already-aligned"]
    whole = run("eval", "pairs", crops, *words, *both, "--save", tmp_path / "both.parquet").json
    assert whole["settings"]["model"].startswith("tiny@") and "+other@" in whole["settings"]["model"]
    files = []
    for model in models:
        files.append(tmp_path / f"{model.name}.parquet")
        run("embed", crops, "-o", files[-1], "-m", model, "--already-aligned")
    assert run("eval", "pairs", *files, *words).json == whole
    copy = tmp_path / "copy"
    shutil.copytree(crops, copy)
    assert run("eval", "pairs", crops, copy, *words, *both).json == whole
    assert run("eval", "pairs", tmp_path / "both.parquet", *words).json == whole
    embedded = tmp_path / "embedded.parquet"
    assert run("embed", crops, "-o", embedded, *both, "--json").json["model"] == whole["settings"]["model"]
    assert run("eval", "pairs", embedded, *words).json == whole
    a, b = (load_embeddings(file).mu for file in files)
    left, right = np.triu_indices(len(a), 1)
    together = load_embeddings(embedded).mu
    expected = (cosine(a[left], a[right]) + cosine(b[left], b[right])) / 2
    np.testing.assert_allclose(cosine(together[left], together[right]), expected, atol=1e-6)


def test_folders_and_models_that_do_not_match(crops, listed, models, tmp_path):
    three = [word for _ in range(3) for word in ("-m", models[0])]
    text = refused("eval", "pairs", crops, crops, "--pairs", listed, *three, "--already-aligned")
    assert "2 folders and 3 models" in text
    text = refused("eval", "pairs", crops, tmp_path / "no.parquet", "--pairs", listed, "-m", models[0])
    assert "no.parquet: no such file or folder" in text


def test_what_is_wrong_with_one_of_several_files(crops, listed, models, tmp_path):
    whole, part = tmp_path / "whole.parquet", tmp_path / "part.parquet"
    run("eval", "pairs", crops, "--pairs", listed, "-m", models[0], "--already-aligned", "--save", whole)
    save_embeddings(part, load_embeddings(whole).take(np.arange(3)))
    line = refused("eval", "pairs", whole, part, "--pairs", listed)
    assert line.startswith(f"{part}: ") and "not in the embeddings" in line


def test_where_embeddings_cannot_be_kept_is_told_before_the_work(crops, listed, tmp_path):
    """No model is asked for: it would be the next thing to miss."""
    words = ("eval", "pairs", crops, "--pairs", listed, "-m", "nobody", "--already-aligned", "--save")
    assert "is a folder; name a file to write" in refused(*words, tmp_path)
    assert "unknown model" in refused(*words, tmp_path / "fine" / "kept.parquet")
    assert not (tmp_path / "fine").exists()
    assert "is a folder; name a file to write" in refused(*words, tmp_path, "--damage", "standard")


def test_a_score_that_the_model_cannot_give(crops, listed, models):
    words = ["--pairs", listed, "-m", models[0], "--already-aligned"]
    assert "kappa" in refused("eval", "pairs", crops, *words, "--score", "scf")
    assert "sigma2" in refused("eval", "pairs", crops, *words, "--score", "mls")


@pytest.fixture(scope="module")
def cfp(tmp_path_factory):
    root = tmp_path_factory.mktemp("cfp")
    lists = {"F": [], "P": []}
    for person in range(1, 5):
        for kind, letter, count in (("frontal", "F", 3), ("profile", "P", 2)):
            for image in range(1, count + 1):
                name = f"{person:03d}/{kind}/{image:02d}.jpg"
                write_crops(root / "Data" / "Images", {name: (person, image + 5 * (letter == "P"))})
                lists[letter].append(f"{len(lists[letter]) + 1} ../Data/Images/{name}")
    for letter, lines in lists.items():
        (root / "Protocol").mkdir(exist_ok=True)
        (root / "Protocol" / f"Pair_list_{letter}.txt").write_text("\n".join(lines) + "\n")
    for split in range(2):
        for part, same, diff in (
            ("FF", [f"{3 * p + 1},{3 * p + 2 + split}" for p in range(4)], ["1,4", "4,8", "7,11", "10,3"]),
            ("FP", [f"{3 * p + 1},{2 * p + 1 + split}" for p in range(4)], ["1,3", "4,5", "7,8", "10,2"]),
        ):
            folder = root / "Protocol" / "Split" / part / f"{split + 1:02d}"
            folder.mkdir(parents=True)
            (folder / "same.txt").write_text("\n".join(same) + "\n")
            (folder / "diff.txt").write_text("\n".join(diff) + "\n")
    return root


def test_cfp(cfp, models, tmp_path):
    saved = tmp_path / "cfp.parquet"
    words = ["-m", models[0], "--already-aligned", "--json"]
    told = run("eval", "cfp", cfp, *words, "--save", saved).json
    assert (told["protocol"], told["pairs"], told["genuine"], len(told["folds"])) == ("cfp-fp", 16, 8, 2)
    assert told["settings"]["rule"] == "insightface"
    lists = ["--protocol", cfp / "Protocol", "--json"]
    assert run("eval", "cfp", saved, *lists).json == told
    crops = tmp_path / "crops"
    shutil.copytree(cfp / "Data" / "Images", crops)
    assert run("eval", "cfp", crops, *words, "--protocol", cfp / "Protocol").json == told
    frontal = run("eval", "cfp", cfp, *words, "--part", "FF").json
    assert frontal["protocol"] == "cfp-ff" and frontal["settings"]["data"] != told["settings"]["data"]
    assert "has no folder Protocol" in refused("eval", "cfp", crops, "-m", models[0])


@pytest.fixture(scope="module")
def bin_file(tmp_path_factory):
    images, same = [], []
    for number in range(30):
        person, other = number % PEOPLE, (number + number // PEOPLE) % PEOPLE
        images += [encode_rgb(crop(person, 0), ".png"), encode_rgb(crop(other, 1 + number % 2), ".png")]
        same.append(person == other)
    same[0] = True
    path = tmp_path_factory.mktemp("bin") / "agedb_30.bin"
    path.write_bytes(pickle.dumps((images, same)))
    return path


def test_bin(bin_file, models, tmp_path):
    saved = tmp_path / "bin.parquet"
    told = run("eval", "bin", bin_file, "-m", models[0], "--json", "--save", saved).json
    assert (told["protocol"], told["pairs"], len(told["folds"])) == ("bin-agedb_30", 30, 10)
    # insightface's rule: image and mirror image are added, whatever the card says (concat here).
    assert (told["settings"]["flip"], load_embeddings(saved).dim) == ("sum", 8)
    assert told["images"] == len(load_embeddings(saved)) < 60
    assert run("eval", "bin", bin_file, "--embeddings", saved, "--json").json == told
    assert run("eval", "bin", bin_file, "-m", models[0], "--flip", "none", "--json").json["settings"]["flip"] == "none"
    both = run("eval", "bin", bin_file, "-m", models[0], "-m", models[1], "--json").json
    assert both["accuracy"] >= 0.5 and "+other@" in both["settings"]["model"]


def test_the_real_bin_has_genuine_pairs_only(shared, models):
    ended = run("eval", "bin", shared / "data" / "small_lfw.bin", "-m", models[0])
    assert ended.code == 0 and "no accuracy: no impostor pairs" in ended.err
    assert ended.err.splitlines()[-1] == "0 of 17 images had no detected face"


def test_bin_that_is_none(models, tmp_path):
    (tmp_path / "x.bin").write_bytes(b"no pickle")
    assert "not one of insightface's .bin sets" in refused("eval", "bin", tmp_path / "x.bin", "-m", models[0])
    assert "no such file" in refused("eval", "bin", tmp_path / "y.bin", "-m", models[0])
    content = ([b"no image"] * 20, [True, False] * 5)
    (tmp_path / "z.bin").write_bytes(pickle.dumps(content))
    text = refused("eval", "bin", tmp_path / "z.bin", "-m", models[0])
    assert "not an image" in text
    text = refused("eval", "bin", tmp_path / "z.bin", "--embeddings", tmp_path / "no.parquet")
    assert "no.parquet: no such file or folder" in text


@pytest.fixture(scope="module")
def ytf(tmp_path_factory):
    root = tmp_path_factory.mktemp("ytf")
    for person in range(4):
        for video in range(2):
            names = {f"P{person}/{video}/{video}.{k}.jpg": (person, 10 * video + k) for k in range(8, 12)}
            write_crops(root / "frame_images_DB", names)
    lines = ["split number, pair, first name, second name, is same"]
    for split in (1, 2):
        for person in range(4):
            lines.append(f"{split}, {len(lines)}, P{person}/0, P{person}/1, 1")
            lines.append(f"{split}, {len(lines)}, P{person}/0, P{(person + split) % 4}/1, 0")
    (root / "splits.txt").write_text("\n".join(lines) + "\n")
    return root


def test_ytf(ytf, models, tmp_path):
    saved = tmp_path / "ytf.parquet"
    words = ["--splits", ytf / "splits.txt", "--json"]
    crops = ["-m", models[0], "--already-aligned"]
    told = run("eval", "ytf", ytf, *words, *crops, "--save", saved).json
    assert (told["protocol"], told["videos"], told["frames"], told["pairs"]) == ("ytf", 8, 32, 16)
    assert told["settings"]["pool"] == "mean"
    assert run("eval", "ytf", saved, *words).json == told
    few = run("eval", "ytf", ytf / "frame_images_DB", *words, *crops, "--frames", "2").json
    assert (few["frames"], few["accuracy"] is None) == (16, False)
    assert run("eval", "ytf", saved, *words, "--frames", "2").json == few
    assert "kappa" in refused("eval", "ytf", saved, "--splits", ytf / "splits.txt", "--pool", "kappa")
    ended = run("eval", "ytf", saved, "--splits", ytf / "splits.txt")
    assert "0 of 8 videos had no detected face" in ended.err and "32 frames used" in ended.err
    both = run("eval", "ytf", ytf, *words, *crops, "-m", models[1]).json
    assert "+other@" in both["settings"]["model"]


def test_ytf_skip_does_without_videos(ytf, models, tmp_path):
    folder = shutil.copytree(ytf, tmp_path / "ytf")
    shutil.rmtree(folder / "frame_images_DB" / "P0" / "0")
    words = ["--splits", folder / "splits.txt", "-m", models[0], "--already-aligned"]
    assert "P0/0: no frames of this video" in refused("eval", "ytf", folder, *words)
    told = run("eval", "ytf", folder, *words, "--on-miss", "skip", "--json").json
    assert (told["unreadable"], told["skipped_pairs"], told["pairs"], told["videos"]) == (1, 4, 12, 8)


def test_results_hold_no_nan(crops, listed, models):
    ended = run("eval", "pairs", crops, "--pairs", listed, "-m", models[0], "--already-aligned", "--json")

    def refuse(word):
        raise AssertionError(word)

    json.loads(ended.out, parse_constant=refuse)
