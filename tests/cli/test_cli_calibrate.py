"""``facepipe calibrate`` on a model that knows nobody, over everything that it takes."""

import numpy as np
import pytest
from cli_run import refused, run, tiny_model
from train_tiny import crop, encoded, write_folders, write_shard

from facepipe.datasets.samples.digest import image_digest
from facepipe.zoo import read_card

SIZE = (112, 96)


@pytest.fixture
def model(tmp_path):
    return tiny_model(tmp_path / "tiny", "compact")


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """Six people with three crops each, and 40 adults of one sex without names, two of whom are one person."""
    folder = tmp_path_factory.mktemp("shards")
    named = [(f"n{p}{k}", encoded(crop(p, k, SIZE)), {"identity": f"p{p}"}) for p in range(6) for k in range(3)]
    write_shard(folder / "named.tar", named)
    strangers = [(f"s{p}", encoded(crop(p, 0, SIZE)), {"source": "x", "age": 30, "sex": "f"}) for p in range(20, 60)]
    write_shard(folder / "strangers.tar", [*strangers, ("child", encoded(crop(90, 0, SIZE)), {"age": 5, "sex": "f"})])
    return folder


def test_shards_with_json(model, shard, tmp_path):
    words = ["calibrate", model, shard / "named.tar", shard / "strangers.tar", "--far", 1e-1, "--far", 1e-2]
    done = run(*words, "-o", tmp_path / "new.toml", "--about", "made up", "--json")
    told = done.json
    assert told["counts"]["people"] == 6 and told["counts"]["strangers"] == 41 and told["counts"]["children"] == 1
    assert told["counts"]["alike_pairs"] == {"women (x)": 780}
    assert told["counts"]["genuine_pairs"] == 18 and f"card: {tmp_path / 'new.toml'}" in done.err
    card = read_card(tmp_path / "new.toml")
    assert [one.to_dict() for one in card.thresholds] == told["thresholds"]
    assert {(one.score, one.population, one.far) for one in card.thresholds} == {
        (score, who, far) for score in ("cosine", "scf") for who in ("random", "alike") for far in (1e-1, 1e-2)
    }
    assert card.uncertainty.quantiles[0] < card.uncertainty.quantiles[-1]
    assert all(one.calibrated_on.endswith("; made up") for one in card.thresholds if one.population == "random")
    assert read_card(model / "card.toml").thresholds[0].calibrated_on == "nothing", "the model's own card is as it was"
    assert "women (x)" in run(*words, "-o", tmp_path / "new.toml").out


def test_the_own_card_of_a_run_is_written(model, shard):
    run("calibrate", model, shard, "--far", 1e-1)
    assert {one.far for one in read_card(model / "card.toml").thresholds_of()} == {1e-1}
    assert run("models", "show", model).code == 0


def test_held_out_parts_and_people_who_are_there_twice(model, shard, tmp_path):
    words = ["calibrate", model, shard, "--far", 1e-1, "-o", tmp_path / "new.toml", "--json"]
    counts = run(*words, "--held-out", 3, "--held-out-images", "x=20").json["counts"]
    assert (counts["people"], counts["images"], counts["strangers"]) == (3, 29, 20)
    pair = [image_digest(encoded(crop(p, 0, SIZE))) for p in (20, 21)]
    (tmp_path / "same.csv").write_text(f"a,b\n{pair[0]},{pair[1]}\n")
    done = run(*words, "--one-person", tmp_path / "same.csv")
    assert done.json["counts"]["strangers"] == 40
    assert "1 image left out, since another image shows the same person" in done.err
    assert "6 identities have 2 images or more" in refused(*words, "--held-out", 9)
    assert "must be SOURCE=N" in run(*words, "--held-out-images", "x").err


def test_folders_of_crops(model, tmp_path):
    folder = write_folders(tmp_path / "people", identities=6, images=3, size=SIZE)
    words = ["calibrate", model, folder, "--far", 1e-1, "-o", tmp_path / "new.toml"]
    done = run(*words, "--already-aligned", "--json")
    assert (done.json["counts"]["people"], done.json["counts"]["images"]) == (6, 18)
    assert "the faces have no age and sex" in done.err
    assert "no face found in 18 photos; they have the size of crops" in refused(*words)


def test_saved_embeddings_and_lists_of_pairs(model, tmp_path):
    folder = write_folders(tmp_path / "people", identities=6, images=3, size=SIZE)
    file = tmp_path / "e.parquet"
    assert run("embed", folder, "-m", model, "-o", file, "--already-aligned").code == 0
    words = ["--far", 1e-1, "-o", tmp_path / "new.toml", "--json"]
    first = run("calibrate", model, file, *words).json
    second = run("calibrate", model, folder, *words, "--already-aligned").json
    values = [[one["value"] for one in told["thresholds"]] for told in (first, second)]
    assert values[0] == pytest.approx(values[1], abs=1e-5)

    numbers = [(p, q, k) for p in range(6) for q in range(6) for k in (1, 2)]
    rows = [f"person{p:02d}/0.png,person{q:02d}/{k}.png,{int(p == q)}" for p, q, k in numbers]
    (folder / "pairs.csv").write_text("\n".join(["a,b,same", *rows]) + "\n")
    words = ["calibrate", model, folder / "pairs.csv", *words]
    counts = run(*words, "--already-aligned").json["counts"]
    assert counts == {"images": 18, "genuine_pairs": 12, "impostor_pairs": 60}
    assert run(*words, "--images", file).json["counts"] == counts


def test_what_cannot_be_calibrated(model, shard, tmp_path):
    assert "give a card to write with -o" in refused("calibrate", "facepipe-mobilenet", shard)
    assert refused("calibrate", model, tmp_path / "gone").startswith(f"{tmp_path / 'gone'}: no such file or folder")
    other = tiny_model(tmp_path / "other")
    file = tmp_path / "e.parquet"
    run("embed", write_folders(tmp_path / "people", 2, 1, SIZE), "-m", other, "-o", file, "--already-aligned")
    (tmp_path / "other" / "weights.safetensors").touch()
    assert "facepipe: " not in refused("calibrate", "facepipe-mobilenet", file, "-o", tmp_path / "x.toml")
    assert not (tmp_path / "x.toml").exists()
    assert np.isfinite(read_card(model / "card.toml").thresholds[0].value)
