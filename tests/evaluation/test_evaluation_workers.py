"""Every evaluation can have its images embedded by workers: it takes ``--on``, and what it sends can be sent."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_run import run

import facepipe
from facepipe.datasets.pairs.csv import read_pairs_csv
from facepipe.evaluation import PROTOCOLS
from facepipe.evaluation.annotated_source import landmark_source
from facepipe.evaluation.damaged_source import embeddings_of_pairs
from facepipe.evaluation.source import Source

pytestmark = pytest.mark.slow
ROOMS = ("evaluation", "protocols", "cli/eval")


@pytest.mark.parametrize("name", sorted(PROTOCOLS.names()))
def test_every_protocol_takes_workers(name):
    told = run("eval", name, "--help").out
    assert "--on " in told and "--workers" in told


def test_nothing_but_the_source_embeds():
    """Otherwise a protocol could embed in this process whatever was asked for."""
    root = Path(facepipe.__file__).parent
    texts = {path.name: path.read_text() for room in ROOMS for path in (root / room).rglob("*.py")}
    embedding = [name for name, text in texts.items() if "embed_ensemble(" in text or "embed_images" in text]
    assert len(texts) > 40 and embedding == ["source.py"]


class StopError(Exception):
    pass


class Sent:
    """In the place of Ray: what is to be sent goes through its pickle."""

    def map(self, make, units, device="auto", name=str):
        cloudpickle = pytest.importorskip("ray.cloudpickle")
        self.work = cloudpickle.loads(cloudpickle.dumps(make))()
        raise StopError
        yield


@pytest.mark.parametrize("engine", ["torch", "onnx"])
@pytest.mark.parametrize("kind", ["plain", "damaged", "scored", "landmarks"])
def test_what_is_sent_can_be_sent(tmp_path, kind, engine):
    (tmp_path / "a").mkdir()
    for number in (1, 2):
        (tmp_path / "a" / f"{number}.jpg").write_bytes(b"")
    (tmp_path / "pairs.csv").write_text("a,b,same\na/1.jpg,a/2.jpg,1\n")
    pairs = read_pairs_csv(tmp_path / "pairs.csv")
    source = Source((tmp_path,), engine=engine, device="cpu", note=lambda _: None, on=Sent())
    if kind == "landmarks":
        faces = type("Faces", (), {"names": ("a/1",), "landmarks": np.zeros((1, 5, 2)), "detector_score": None})
        source = replace(landmark_source(source, faces), regions=None)
    damage = "standard" if kind in ("damaged", "scored") else None
    with pytest.raises(StopError):
        embeddings_of_pairs(source, pairs, "pairs", damage, kind == "scored")
    assert callable(source.on.work)
