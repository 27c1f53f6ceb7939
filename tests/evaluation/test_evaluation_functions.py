"""``facepipe.evaluate`` from Python: without the command line, the figures that the command line prints."""

import json
import re
from pathlib import Path

import pytest
from eval_cases import write_cases
from test_evaluation_golden import GOLDEN, assert_alike

import facepipe
from facepipe import evaluate
from facepipe.errors import DatasetError
from facepipe.protocols.ijb.template_pooling import TemplateRecipe

PLAIN = {"feature_norm": False, "detector_score": False}
CALLS = {
    "lfw": lambda at: evaluate.lfw(at("pairs/faces.parquet"), at("pairs/pairs.txt")),
    "lfw-skip": lambda at: evaluate.lfw(
        at("pairs/faces.parquet"), at("pairs/pairs.txt"), on_miss="skip", rule="insightface", fars=[0.1]
    ),
    "pairs-mls": lambda at: evaluate.pairs(
        at("pairs/faces.parquet"), at("pairs/pairs.csv"), score="mls", rule="sphereface"
    ),
    "pairs-ensemble": lambda at: evaluate.pairs(
        [at("pairs/faces.parquet"), at("pairs/damaged.parquet")], str(at("pairs/pairs.csv"))
    ),
    "risk": lambda at: evaluate.risk(at("pairs/faces.parquet"), at("pairs/pairs.txt"), fmr=0.1),
    "cfp-ff": lambda at: evaluate.cfp(at("cfp/faces.parquet"), at("cfp"), part="FF", score="scf"),
    "bin": lambda at: evaluate.bin(at("bin/agedb_30.bin"), at("bin/faces.parquet")),
    "ytf-sigma2": lambda at: evaluate.ytf(
        at("ytf/faces.parquet"), at("ytf/splits.txt"), pool="sigma2", frames=2, score="mls"
    ),
    "ijb": lambda at: evaluate.ijb(at("ijb/faces.parquet"), lists=at("ijb")),
    "ijb-open": lambda at: evaluate.ijb(at("ijb/faces.parquet"), lists=at("ijb"), task="1:N"),
    "ijb-closed": lambda at: evaluate.ijb(
        at("ijb/faces.parquet"), lists=at("ijb"), task="1:N", reading="closed",
        recipe=TemplateRecipe("mean", detector_score=False),
    ),
    "ijba-rounded": lambda at: evaluate.ijba(
        at("ijba/faces.parquet"), at("ijba"), rule="rounded", recipe=TemplateRecipe("sigma2", **PLAIN), score="mls"
    ),
    "ijba-search": lambda at: evaluate.ijba(at("ijba/faces.parquet"), at("ijba"), task="search"),
    "megaface": lambda at: evaluate.megaface(
        [at("megaface/probes.parquet"), at("megaface/distractors.parquet")],
        distractor_noises=at("megaface/noise.txt"),
    ),
    "blufr": lambda at: evaluate.blufr(at("blufr/faces.parquet"), at("blufr/lists.mat")),
    "openset-closed": lambda at: evaluate.openset(at("openset/faces.parquet"), at("openset"), closed=True, score="scf"),
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluate")
    write_cases(root)
    return root


# Each of openset's lists is read in a process of its own.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith("openset")) for name in CALLS]
)
def test_a_function_gives_what_the_command_prints(name, root):
    result = CALLS[name](root.__truediv__)
    got = json.loads(json.dumps(result.to_dict()))
    wanted = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))["json"]
    got["settings"].pop("versions")
    if name.startswith(("blufr", "openset")):
        del got["settings"]["data"], wanted["settings"]["data"]  # of files that hold their date
    assert_alike(got, wanted, name)


def test_every_protocol_is_called_from_python_in_some_test():
    tests = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py"))
    assert [name for name in evaluate.PROTOCOLS if not re.search(rf"\bevaluate\.{name}\(", tests)] == []


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda at: evaluate.cfp(at("none"), part="FX"), "^part='FX': did you mean 'FF'"),
        (lambda at: evaluate.ijb(at("none"), task="2:N"), "^task='2:N': did you mean '1:N'"),
        (lambda at: evaluate.ijba(at("none"), at("none"), task="find"), "^task='find': choose one of verify, search"),
        (lambda at: evaluate.pairs(at("none"), at("pairs/pairs.csv"), form="cvs"), "^form='cvs': did you mean 'csv'"),
    ],
)
def test_what_is_none_of_the_choices_is_refused(call, told, root):
    with pytest.raises(DatasetError, match=told):
        call(root.__truediv__)


def test_nothing_in_the_room_speaks_of_the_command_line():
    """It is a library: what a function takes is called as in Python."""
    room = Path(facepipe.__file__).parent / "evaluation"
    for path in room.rglob("*.py"):
        assert not re.findall(r"--[a-z][a-z-]+", path.read_text(encoding="utf-8")), path.name
