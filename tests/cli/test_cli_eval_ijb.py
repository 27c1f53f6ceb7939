"""``facepipe eval ijb``, ``ijba``, ``megaface``, ``blufr`` and ``openset`` as a user meets them."""

import numpy as np
import pytest
from cli_run import refused, run, tiny_model
from ijb_synthetic import write_ijb

from facepipe.embedding import Embeddings, load_embeddings, save_embeddings
from facepipe.images import write_rgb


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model") / "tiny")


def noise_image(path, seed, size=112):
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    write_rgb(path, np.kron(small, np.ones((size // 7, size // 7, 1), np.uint8)))


@pytest.fixture(scope="module")
def ijb(tmp_path_factory):
    """A root with metadata, images, and embeddings of the faces."""
    made = write_ijb(tmp_path_factory.mktemp("ijb"), people=6, noise=1.0)
    for number, name in enumerate(made.names):
        noise_image(made.root / "IJBC" / "loose_crop" / name, number)
    save_embeddings(made.root / "faces.parquet", Embeddings(made.features, "m@1/c", paths=tuple(made.names)))
    return made


def test_1_1_from_embeddings_in_any_order(ijb, tmp_path):
    straight = run("eval", "ijb", ijb.root / "faces.parquet", "--lists", ijb.root, "--json").json
    order = np.random.default_rng(3).permutation(len(ijb.names))
    mixed = tmp_path / "mixed.parquet"
    names = tuple(f"/some/where/{ijb.names[row]}" for row in order)
    save_embeddings(mixed, Embeddings(ijb.features[order], "m@1/c", paths=names))
    assert run("eval", "ijb", mixed, "--lists", ijb.root, "--json").json == straight
    assert straight["settings"]["pool"] == "media" and len(straight["settings"]["data"]) == 16
    assert straight["tar"][0]["tar"] is not None and straight["tar"][-1]["tar"] is None
    switched = run("eval", "ijb", mixed, "--lists", ijb.root, "--no-feature-norm", "--json").json
    assert switched["settings"]["feature_norm"] is False and switched["tar"] != straight["tar"]
    shown = run("eval", "ijb", mixed, "--lists", ijb.root, "--rule", "nearest", "--far", "0.1", "--far", "1e-6")
    assert shown.code == 0 and "rule nearest" in shown.out and "fewer than 1/FAR" in shown.out


def test_1_1_from_images(ijb, model, tmp_path):
    """Aligned by the landmarks of the list; what --save keeps gives the same figures, and crops can be given."""
    saved = tmp_path / "saved.parquet"
    told = run("eval", "ijb", ijb.root, "--model", model, "--save", saved, "--precision", "float32", "--json").json
    again = run("eval", "ijb", saved, "--lists", ijb.root, "--json").json
    assert told == again and told["settings"]["halves"] == "sum"
    embeddings = load_embeddings(saved)
    np.testing.assert_array_equal(embeddings.detection_score, ijb.detector)
    first = run("eval", "ijb", saved, "--lists", ijb.root, "--halves", "first", "--json").json
    assert first["auc"] != told["auc"]
    crops = ijb.root / "IJBC" / "loose_crop"
    as_crops = run("eval", "ijb", crops, "--lists", ijb.root, "--already-aligned", "--model", model, "--json").json
    assert as_crops["auc"] != told["auc"]


def test_confidence_weights(ijb, tmp_path):
    rng = np.random.default_rng(1)
    sure = tmp_path / "sure.parquet"
    kappa = rng.uniform(5, 900, len(ijb.names)).astype(np.float32)
    save_embeddings(sure, Embeddings(ijb.features, "m@1/c", paths=tuple(ijb.names), kappa=kappa, trained_dim=8))
    words = ("eval", "ijb", sure, "--lists", ijb.root, "--pool", "kappa", "--json")
    together, equal = run(*words).json, run(*words, "--media-weights", "equal").json
    assert (together["settings"]["media_weights"], equal["settings"]["media_weights"]) == ("together", "equal")
    assert run(*words, "--no-media-average").json["auc"] == together["auc"] != equal["auc"]
    hot = run(*words, "--temperature", "1e6").json
    assert hot["settings"]["temperature"] == 1e6 and hot["auc"] != together["auc"]
    plain = run(*words[:-3], "--pool", "mean", "--no-feature-norm", "--no-detector-score", "--json").json
    assert plain["settings"]["temperature"] is None and hot["auc"] == pytest.approx(plain["auc"], abs=1e-4)
    assert "no confidence weights" in refused(*words[:-2], "media", "--temperature", "2")


def test_ensembles_are_folded_member_by_member(ijb, tmp_path):
    """--halves sum of two concatenating members: what their summed embeddings give, live or saved."""
    files, summed = [], []
    for number, dim in enumerate((8, 6)):
        mu = np.random.default_rng(number).normal(size=(len(ijb.names), dim)).astype(np.float32)
        files.append(tmp_path / f"{number}.parquet")
        save_embeddings(files[-1], Embeddings(mu, f"m@{number}/c", "concat", tuple(ijb.names)))
        summed.append(tmp_path / f"sum-{number}.parquet")
        added = mu[:, : dim // 2] + mu[:, dim // 2 :]
        save_embeddings(summed[-1], Embeddings(added, f"m@{number}/c", "sum", tuple(ijb.names)))
    words = ("--lists", ijb.root, "--json")
    folded = run("eval", "ijb", *files, *words, "--save", tmp_path / "folded.parquet").json
    assert folded["settings"]["flip"] == "sum" and folded["auc"] == run("eval", "ijb", *summed, *words).json["auc"]
    assert run("eval", "ijb", tmp_path / "folded.parquet", *words).json["auc"] == folded["auc"]
    kept = run("eval", "ijb", *files, *words, "--halves", "keep", "--save", tmp_path / "kept.parquet").json
    assert kept["settings"]["flip"] == "concat+concat" and kept["auc"] != folded["auc"]
    assert "embed again with --flip sum" in refused("eval", "ijb", tmp_path / "kept.parquet", "--lists", ijb.root)


def test_landmarks_of_the_list_cut_the_crop(ijb, tmp_path):
    from facepipe.alignment import Aligner
    from facepipe.datasets.templates.ijb import find_ijb, read_faces
    from facepipe.images import read_rgb
    from facepipe.pipeline import read_batches
    from facepipe.protocols.landmark_crops import LandmarkCropper, ListedFaces

    faces, aligner = read_faces(find_ijb(ijb.root, "C")), Aligner("112x112")
    listed = ListedFaces(faces.names, faces.landmarks, faces.detector_score)
    path = ijb.root / "IJBC" / "loose_crop" / faces.names[3]
    (batch,) = read_batches([path, tmp_path / "gone" / faces.names[4]])
    cut, missing = LandmarkCropper(aligner, listed)(batch)
    np.testing.assert_array_equal(cut.crops[0], aligner(read_rgb(path), faces.landmarks[3]))
    assert (cut.status, missing.status) == ("ok", "error") and "no such file" in missing.reason
    assert len(listed) == len(faces) and cut.faces.scores.tolist() == [faces.detector_score[3]]


@pytest.mark.parametrize("reading", ["open", "closed"])
def test_1_n(ijb, reading):
    words = ("eval", "ijb", ijb.root / "faces.parquet", "--lists", ijb.root, "--task", "1:N", "--reading", reading)
    told = run(*words, "--json").json
    assert told["protocol"] == "ijb-1:n" and told["settings"]["reading"] == reading and told["probes"] == 12
    shown = run(*words)
    assert shown.code == 0 and "rank-1" in shown.out and ("gallery 2" in shown.out) == (reading == "open")


def test_ijb_refuses(ijb, tmp_path):
    parquet = ijb.root / "faces.parquet"
    assert "embeddings contain no lists; pass the folder with 'meta' as lists" in refused("eval", "ijb", parquet)
    assert "no folder 'meta'" in refused("eval", "ijb", ijb.root, "--subset", "B")
    assert "have no kappa" in refused("eval", "ijb", parquet, "--lists", ijb.root, "--pool", "kappa")
    assert "have no sigma2" in refused("eval", "ijb", parquet, "--lists", ijb.root, "--score", "mls")
    few = tmp_path / "few.parquet"
    save_embeddings(few, Embeddings(ijb.features[1:], "m@1/c", paths=tuple(ijb.names[1:])))
    assert f"(1 of {len(ijb.names)} images missing)" in refused("eval", "ijb", few, "--lists", ijb.root)


def write_ijba(root, splits=(1,)):
    header = "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"
    rows = [f"{t},{t % 4},img/{t}.jpg,{t},{10 + t},20,40,30\n" for t in range(1, 13)]
    for number in splits:
        for kind, parts in (("11_sets", ("verify_metadata",)), ("1N_sets", ("search_gallery", "search_probe"))):
            folder = root / f"IJB-A_{kind}" / f"split{number}"
            folder.mkdir(parents=True)
            for part in parts:
                chosen = {"search_gallery": rows[:3], "search_probe": rows[3:]}.get(part, rows)
                (folder / f"{part}_{number}.csv").write_text(header + "".join(chosen))
        pairs = [f"{a},{b}\n" for a in range(1, 13) for b in range(a + 1, 13)]
        (root / "IJB-A_11_sets" / f"split{number}" / f"verify_comparisons_{number}.csv").write_text("".join(pairs))


@pytest.fixture(scope="module")
def ijba(tmp_path_factory):
    root = tmp_path_factory.mktemp("ijba")
    write_ijba(root / "lists", (1, 2))
    for number in range(1, 13):
        noise_image(root / "images" / "img" / f"{number}.{'JPG' if number == 5 else 'jpg'}", number % 4, 56)
    return root


@pytest.mark.parametrize("task", ["verify", "search"])
def test_ijba_from_images(ijba, model, tmp_path, task):
    """Noise holds no face: the square of the box stands in."""
    saved = tmp_path / "saved.parquet"
    words = ("--lists", ijba / "lists", "--task", task)
    told = run("eval", "ijba", ijba / "images", *words, "--model", model, "--save", saved, "--json").json
    assert told == run("eval", "ijba", saved, *words, "--json").json
    assert told["protocol"] == f"ijba-{task}" and len(told["splits"]) == 2
    assert not load_embeddings(saved).detected.any()
    if task == "verify":
        assert (told["splits"][0]["genuine"], told["splits"][0]["impostor"]) == (12, 54)
        assert told["tar"][0]["trials"] == 2 and told["tar"][0]["std"] == 0 and told["tar"][2]["tar"] is None
    else:
        assert (told["splits"][0]["mated"], told["splits"][0]["non_mated"]) == (6, 3)
    shown = run("eval", "ijba", saved, *words)
    assert shown.code == 0 and "2 of the protocol's 10 splits" in shown.err


def test_ijba_regions(ijba):
    from facepipe.datasets.templates.ijba_images import read_region
    from facepipe.errors import ImageError
    from facepipe.images import read_rgb

    image = read_rgb(ijba / "images" / "img" / "1.jpg")
    region = read_region(ijba / "images", "img/1.jpg", np.array([10.0, 20, 30, 24]))
    assert region.shape == (50, 50, 3)
    np.testing.assert_array_equal(region[:49], image[7:56, :50])
    assert not region[49:].any()
    beyond = read_region(ijba / "images", "img/1.jpg", np.array([100.0, 100, 30, 30]))
    assert beyond.shape == (50, 50, 3) and not beyond.any()
    for box in ([np.nan, 0, 1, 1], [0, 0, 0, 5]):
        with pytest.raises(ImageError, match="the list has no box"):
            read_region(ijba / "images", "img/1.jpg", np.array(box, float))
    with pytest.raises(ImageError, match="no such image"):
        read_region(ijba / "images", "img/99.jpg", np.array([0.0, 0, 9, 9]))
    with pytest.raises(ImageError, match="must have IJB-A's folders img and frame"):
        read_region(ijba, "frame/99.jpg", np.array([0.0, 0, 9, 9]))


def test_ijba_refuses(ijba, tmp_path):
    assert "no folders split1" in refused("eval", "ijba", ijba / "images", "--lists", tmp_path)
    save_embeddings(tmp_path / "e.parquet", Embeddings(np.ones((1, 4), np.float32), "m@1/c", paths=("1/img_1.jpg",)))
    line = refused("eval", "ijba", tmp_path / "e.parquet", "--lists", ijba / "lists")
    assert "(11 of 12 images missing)" in line


def megaface_file(path, folders, seed):
    rng = np.random.default_rng(seed)
    names = tuple(f"{folder}/{number}.jpg" for folder in folders for number in range(3))
    mu = rng.normal(size=(len(names), 6)) + np.arange(len(names))[:, None] // 3 * 0.5
    save_embeddings(path, Embeddings(mu.astype(np.float32), "m@1/c", paths=names))
    return names


def test_megaface_and_its_files(tmp_path):
    probes, distractors = tmp_path / "p.parquet", tmp_path / "d.parquet"
    megaface_file(probes, ["Ann", "Bo", "Cy"], 0)
    names = megaface_file(distractors, [f"a/b{number}" for number in range(14)], 1)
    noises = tmp_path / "noise.txt"
    noises.write_text(f"# noise\n{names[4]}\n{names[20]}\n")
    words = ("eval", "megaface", probes, distractors, "--distractor-noises", noises)
    told = run(*words, "--export", tmp_path / "kit", "--algorithm", "x", "--json").json
    assert [row["distractors"] for row in told["sizes"]] == [10, 42] and told["sizes"][1]["noise"] == 2
    assert told["tar"] == told["sizes"][1]["tar"] and told["probes"] == 9 and told["people"] == 3
    kit = ("eval", "megaface", tmp_path / "kit" / "facescrub", tmp_path / "kit" / "megaface", "--ending", "_x.bin")
    (tmp_path / "list.txt").write_text("".join(f"{name}\n" for name in names))
    again = run(*kit, "--distractor-list", tmp_path / "list.txt", "--json").json
    plain = run("eval", "megaface", probes, distractors, "--json").json["settings"]
    # Noise that the files hold is no list.
    assert again["settings"]["data"] == plain["data"] != told["settings"]["data"]
    for one, other in zip(told["sizes"], again["sizes"], strict=True):
        assert one["cmc"] == other["cmc"] and one["noise"] == other["noise"]
    shown = run(*words, "--size", 20)
    assert shown.code == 0 and "20 distractors, 1 of them noise" in shown.out.replace("\n", " ")
    assert "fewer than the requested 50" in run(*words, "--size", 50).err
    assert "model, flip rule and save do not apply" in refused(*kit, "--flip", "sum")


def test_megaface_noisy_probes(tmp_path):
    probes, distractors, noises = (tmp_path / name for name in ("p.parquet", "d.parquet", "noise.txt"))
    megaface_file(probes, ["Ann", "Bo"], 0), megaface_file(distractors, ["a/b"], 1)
    noises.write_text("1.jpg\n")
    words = ("eval", "megaface", probes, distractors, "--probe-noises", noises, "--json")
    assert run(*words).json["settings"]["noisy_probes"] == "2 by centre"
    told = run(*words, "--noisy-probes", "drop").json
    assert told["settings"]["noisy_probes"] == "2 by drop" and told["probes"] == 4


def test_megaface_by_a_score_that_needs_confidence(tmp_path):
    sure = tiny_model(tmp_path / "sure", "compact")
    for folder, count in (("probes/Ann", 2), ("probes/Bo", 2), ("rest/x/y", 30)):
        for number in range(count):
            noise_image(tmp_path / folder / f"{number}.png", len(folder) * 7 + number)
    words = ("--already-aligned", "--model", sure, "--json", "--save", tmp_path / "kept.parquet")
    told = run("eval", "megaface", tmp_path / "probes", tmp_path / "rest", *words, "--score", "scf").json
    kept = tmp_path / "kept-probes.parquet", tmp_path / "kept-distractors.parquet"
    assert run("eval", "megaface", *kept, "--score", "scf", "--json").json == told
    assert told["settings"]["score"] == "scf"
    cosine = run("eval", "megaface", *kept, "--json").json
    assert cosine["settings"]["data"] == told["settings"]["data"] and cosine["settings"]["score"] == "cosine"
    assert "have no sigma2" in refused("eval", "megaface", *kept, "--score", "mls")


def test_megaface_from_images(tmp_path, model):
    for folder, count in (("probes/Ann", 2), ("probes/Bo", 2), ("rest/x/y", 3)):
        for number in range(count):
            noise_image(tmp_path / folder / f"{number}.png", len(folder) * 7 + number)
    words = ("--already-aligned", "--model", model, "--save", tmp_path / "kept.parquet", "--json")
    told = run("eval", "megaface", tmp_path / "probes", tmp_path / "rest", *words).json
    kept = tmp_path / "kept-probes.parquet", tmp_path / "kept-distractors.parquet"
    assert run("eval", "megaface", *kept, "--json").json == told


@pytest.fixture(scope="module")
def lfw(tmp_path_factory, shared):
    from facepipe.datasets.templates.blufr import read_blufr

    lists = read_blufr(shared / "data" / "blufr_lfw_config.mat")
    rng = np.random.default_rng(0)
    mu = rng.normal(size=(5750, 8))[lists.person] + 0.35 * rng.normal(size=(len(lists.names), 8))
    path = tmp_path_factory.mktemp("lfw") / "lfw.parquet"
    names = tuple(f"{name}.jpg" for name in lists.names)
    save_embeddings(path, Embeddings(mu.astype(np.float32), "m@1/c", paths=names))
    return path, shared / "data" / "blufr_lfw_config.mat"


@pytest.mark.slow
def test_openset(lfw):
    path, lists = lfw
    told = run("eval", "openset", path, "--lists", lists, "--seed", "2", "--json").json
    assert told["settings"]["lists"] == "drawn, seed 2" and len(told["trials"]) == 10
    assert {trial["mated"] for trial in told["trials"]} == {596}
    assert told["dir"][0]["tpir"] is not None and told["dir"][2]["tpir"] is None
    shown = run("eval", "openset", path, "--lists", lists, "--closed")
    assert shown.code == 0 and "closed set" in shown.out and "different contents" in shown.err


def test_blufr(tmp_path):
    from scipy.io import savemat

    names = [f"{who}_{number:04d}.jpg" for who in "ABCDEFGH" for number in (1, 2, 3)]
    files, trial = np.empty((24, 1), object), np.empty((2, 1), object)
    files[:, 0] = names
    index = {"trainIndex": [1, 2], "testIndex": range(4, 25), "galIndex": [4, 7, 10], "probIndex": range(11, 25)}
    fields = {}
    for key, values in index.items():
        cells = trial.copy()
        cells[:, 0] = [np.array(values)[:, None]] * 2
        fields[key] = cells
    savemat(tmp_path / "lists.mat", {"imageList": files, "labels": np.repeat(np.arange(1, 9), 3)[:, None], **fields})
    rng = np.random.default_rng(0)
    paths = tuple(f"lfw/{name[0]}/{name}" for name in names)
    mu = (np.repeat(np.eye(8), 3, axis=0) + 0.2 * rng.normal(size=(24, 8))).astype(np.float32)
    save_embeddings(tmp_path / "e.parquet", Embeddings(mu, "m@1/c", paths=paths))
    told = run("eval", "blufr", tmp_path / "e.parquet", "--lists", tmp_path / "lists.mat", "--json").json
    assert told["tar"][0]["tar"] == 1.0 and told["tar"][0]["std"] == 0 and told["tar"][1]["tar"] is None
    assert told["dir"][0]["tpir"] == 1.0 and told["trials"][0]["genuine"] == 21
    shown = run("eval", "blufr", tmp_path / "e.parquet", "--lists", tmp_path / "lists.mat")
    assert shown.code == 0 and "mean − std" in shown.out and "fewer than 1/FAR" in shown.out
    assert "no such file" in refused("eval", "blufr", tmp_path / "e.parquet", "--lists", tmp_path / "gone.mat")
