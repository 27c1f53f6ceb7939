"""Confidences of several heads on one backbone in one table."""

import json

import numpy as np
import pytest

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.risk.join_results import add_confidences
from facepipe.protocols.risk.risk_controlled import RiskResult, evaluate_risk

COUNT = 40
RNG = np.random.default_rng(1)
MU = RNG.normal(size=(COUNT, 3)).astype(np.float32)
LEFT, RIGHT = RNG.integers(0, COUNT, (2, 400))
PAIRS = Pairs(tuple(f"P{i}/P{i}_0001" for i in range(COUNT)), LEFT, RIGHT, np.arange(400) % 2 == 0,
              np.arange(400) // 40)  # fmt: skip


def result(model, mu=MU, fmr=0.05, pairs=PAIRS, **confidence):
    fields = {"kappa": None, "sigma2": None, **confidence}
    embeddings = Embeddings(mu=mu, model=model, paths=tuple(f"{name}.jpg" for name in PAIRS.names), trained_dim=3,
                            flip="none", **fields)  # fmt: skip
    made = evaluate_risk(embeddings, pairs, fmr=fmr)
    made.settings["damage"] = None
    return made


def sigma2(seed):
    return np.random.default_rng(seed).uniform(0.1, 2, (COUNT, 1)).astype(np.float32)


KAPPA = RNG.uniform(10, 500, COUNT).astype(np.float32)


def test_side_by_side():
    ours, first, second = (
        result("scf@1", kappa=KAPPA),
        result("pf@2", sigma2=sigma2(2)),
        result("pf@3", sigma2=sigma2(3)),
    )
    told = RiskResult.from_dict(json.loads(json.dumps(first.to_dict())), "file")
    assert told == first
    both = add_confidences(add_confidences(ours, told, "a.json"), second, "b.json")
    names = ["kappa", "sigma2", "sigma2 of pf", "norm", "random"]
    assert list(both.to_dict()["table"]) == names and list(both.to_dict()["curves"]) == [*names, "ideal"]
    assert list(both.to_dict()["relative_area"]) == [*names, "ideal"]
    for part in ("table", "curves", "relative_area"):
        assert both.to_dict()[part]["kappa"] == ours.to_dict()[part]["kappa"]
        assert both.to_dict()[part]["sigma2"] == first.to_dict()[part]["sigma2"]
        assert both.to_dict()[part]["sigma2 of pf"] == second.to_dict()[part]["sigma2"]
    assert both.settings["joined_models"] == ["pf@2", "pf@3"] and "joined_models" not in ours.settings
    assert list(both.curves) == [*names, "ideal"]
    third = add_confidences(both, result("pf@4", sigma2=sigma2(4)), "c.json")
    assert "sigma2 of pf@4" in third.to_dict()["table"]


def test_results_of_earlier_versions_have_another_name_for_joined_models():
    both = add_confidences(result("scf@1", kappa=KAPPA), result("pf@2", sigma2=sigma2(2)), "a.json")
    values = json.loads(json.dumps(both.to_dict()))
    values["settings"]["beside"] = values["settings"].pop("joined_models")
    read = RiskResult.from_dict(values, "file")
    assert read == both and read.models == "scf@1 + pf@2"
    third = add_confidences(read, result("pf@4", sigma2=sigma2(4)), "b.json")
    assert third.settings["joined_models"] == ["pf@2", "pf@4"] and "beside" not in third.settings


def test_only_what_can_be_compared():
    ours = result("scf@1", kappa=KAPPA)
    other = MU + np.random.default_rng(5).normal(size=MU.shape).astype(np.float32)
    shorter = PAIRS.take(np.arange(400) < 390)
    for wrong, message in [
        (result("pf@2", mu=other, sigma2=sigma2(2)), "a.json: pf@2 scores the pairs differently; only heads on one"),
        (result("pf@2", fmr=0.1, sigma2=sigma2(2)), "a.json: made with a different false-match rate"),
        (result("pf@2", pairs=shorter, sigma2=sigma2(2)), "a.json: made with a different list of pairs"),
    ]:
        with pytest.raises(DatasetError) as caught:
            add_confidences(ours, wrong, "a.json")
        assert str(caught.value).startswith(message)


def test_what_is_no_result_of_this_protocol():
    told = result("scf@1", kappa=KAPPA).to_dict()
    for wrong in ({}, {"protocol": "lfw", "settings": {}}, told | {"table": 3}, told | {"speed": 3}):
        with pytest.raises(DatasetError, match=r"^a\.json: not a result of"):
            RiskResult.from_dict(wrong, "a.json")
