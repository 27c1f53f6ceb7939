"""``facepipe eval compare``."""

import json

import numpy as np
import pytest
from cli_run import refused, run

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.embedding import Embeddings
from facepipe.protocols import evaluate_pairs


@pytest.fixture
def results(tmp_path):
    """Three runs over one list, from a poor model to a good one, and one over another list."""
    rng = np.random.default_rng(0)
    who = np.arange(60) % 12
    names = tuple(f"{index:03d}" for index in range(60))
    left = rng.integers(0, 60, 400)
    right = (left + np.where(np.arange(400) % 2 == 0, 12, 1 + rng.integers(0, 11, 400))) % 60
    pairs = Pairs(names, left, right, who[left] == who[right], np.arange(400) // 40)
    centres = rng.normal(size=(12, 8))
    files = {}
    for name, noise, kept in (("poor", 1.5, 400), ("fair", 1.0, 400), ("good", 0.4, 400), ("short", 0.4, 200)):
        mu = (centres[who] + noise * rng.normal(size=(60, 8))).astype(np.float32)
        embeddings = Embeddings(mu, f"{name}@1", paths=tuple(f"{n}.jpg" for n in names))
        result = evaluate_pairs(embeddings, pairs.take(np.arange(400) < kept), fars=[0.1, 0.02, 1e-3])
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text(json.dumps(result.to_dict()))
    return files


def test_side_by_side_with_tests(results):
    ended = run("eval", "compare", results["poor"], results["fair"], results["good"], "--resamples", "200")
    assert ended.code == 0 and ended.err == ""
    for word in ("accuracy", "TAR at FAR 0.1", "poor@1", "good@1", "McNemar's exact test p =", "95 % interval"):
        assert word in ended.out
    assert "insightface" not in ended.out  # equal settings are not shown


def test_json(results):
    words = ["eval", "compare", results["poor"], results["good"], "--resamples", "200", "--json"]
    told = run(*words).json
    assert [run["settings"]["model"] for run in told["runs"]] == ["poor@1", "good@1"]
    (test,) = told["against_first"]
    assert test["mcnemar"]["only_second"] > test["mcnemar"]["only_first"] and test["mcnemar"]["p"] < 0.01
    assert test["tar"][0]["low"] > 0
    assert test["tar"][0]["first"] == told["runs"][0]["figures"]["tar"][0]["tar"]
    assert test["tar"][2]["difference"] is None and "fewer than 1/FAR" in test["tar"][2]["reason"]
    assert run(*words).json == told
    assert run(*words, "--seed", "1").json["against_first"] != told["against_first"]


def test_ways_of_finding_faces_are_compared_detail_by_detail(results, tmp_path):
    told, files = json.loads(results["poor"].read_text()), []
    for number, ways in enumerate([[{"min_face": 20, "factor": 0.85}], [{"min_face": 12, "factor": 0.85}]]):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(told | {"settings": told["settings"] | {"findings": ways}}))
    shown = run("eval", "compare", *files).out
    assert "findings: min_face" in shown and "factor" not in shown
    files[1].write_text(json.dumps(told | {"settings": told["settings"] | {"findings": [*ways, {"detector": None}]}}))
    assert "min_face 12, factor 0.85; detector None" in " ".join(run("eval", "compare", *files).out.split())


def test_other_pairs_are_not_tested(results):
    ended = run("eval", "compare", results["poor"], results["short"])
    assert ended.code == 0 and "short against poor: no paired test, the runs use different lists" in ended.err


def test_what_is_refused(results, tmp_path):
    assert "give at least two results" in refused("eval", "compare", results["poor"])
    assert "no such file" in refused("eval", "compare", results["poor"], tmp_path / "no.json")
    (tmp_path / "text.json").write_text("accuracy: 1")
    assert "not readable JSON" in refused("eval", "compare", results["poor"], tmp_path / "text.json")
    (tmp_path / "list.json").write_text("[1, 2]")
    assert "not a result of" in refused("eval", "compare", tmp_path / "list.json", results["poor"])
