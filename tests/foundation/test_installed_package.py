"""A package that somebody installs beside facepipe adds a thing of every kind, and facepipe uses it under its name."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow
FILES = {
    "loss": """
        from facepipe.losses.registry import register_margin

        @register_margin(paper="none")
        def my_loss(cosine, norm, _label, _step):
            return 3 * cosine
    """,
    "network": """
        from facepipe.backbones import create
        from facepipe.backbones.registry import register

        @register(input_size=(32, 32), embedding_dim=8, paper="none")
        def my_net(input_size, embedding_dim):
            return create("mobilefacenet", input_size=input_size, embedding_dim=embedding_dim)
    """,
    "head": """
        from facepipe.uncertainty import create
        from facepipe.uncertainty.registry import register

        @register(kind="kappa", paper="none")
        def my_head(feature_shape, embedding_dim, stage_channels, *, hidden: int = 4):
            return create("conv", feature_shape=feature_shape, embedding_dim=embedding_dim)
    """,
    "score": """
        from facepipe.score import pair_cosines
        from facepipe.score.pair_scores import register

        @register("my-score", help="less than nothing")
        def my_score(embeddings, left, right):
            return -pair_cosines(embeddings.mu, left, right)
    """,
    "pooling": """
        from facepipe.score.poolings import POOLINGS, Pooling

        POOLINGS.add("my-pooling", Pooling("as mean"))
    """,
    "flip": """
        from facepipe.flips import FLIPS, FlipRule

        FLIPS.add("my-flip", FlipRule("the difference", lambda image, mirror: image - mirror))
    """,
    "rule": """
        from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES, AccuracyRule

        ACCURACY_RULES.add("my-rule", AccuracyRule("none", lambda mu, pairs: None, lambda score, pairs: None))
    """,
    "detector": """
        from facepipe.detection.detectors import DETECTORS, PRESETS, DetectorKind, Preset
        from facepipe.detection.settings import DetectorSettings

        DETECTORS.add("my-detector", DetectorKind("finds nothing", lambda *_: "found", 1, 10, preset="my-preset"))
        PRESETS.add("my-preset", Preset("of mine", DetectorSettings("my-detector", min_face=10, thresholds=(0.5,))))
    """,
    "protocol": '''
        """Counts what it is given.

        PATH is not read.
        """

        from dataclasses import dataclass
        from pathlib import Path
        from typing import Annotated

        from facepipe.evaluation.option import Option
        from facepipe.protocols.result import Result


        @dataclass(frozen=True)
        class Row:
            name: str
            share: float | None


        @dataclass(frozen=True, kw_only=True)
        class MyResult(Result):
            count: int
            rows: tuple[Row, ...]


        def my_protocol(
            source,
            lists: Annotated[Path, Option("What is counted.")],
            *,
            times: Annotated[int, Option("How often.", least=1)] = 1,
            far: Annotated[float, Option("A rate.", flag="at")] = 0.5,
            twice: Annotated[bool, Option("Once more.")] = False,
            kind: Annotated[str, Option("Which.", choices=("a", "b"))] = "a",
            score: str = "cosine",
        ) -> MyResult:
            count = len(lists.read_text().split()) * times * (1 + twice)
            rows = (Row(kind, far), Row("x", None))
            return MyResult(protocol="mine", settings={"model": "m", "score": score}, count=count, rows=rows)
    ''',
    "greet": '''
        """Says hello."""

        import click


        @click.command("greet")
        def command():
            """Say hello."""
            click.echo("hello")
    ''',
}
POINTS = """
[facepipe.losses]
my_loss = facepipe_extra.loss
[facepipe.backbones]
my_net = facepipe_extra.network
[facepipe.uncertainty_heads]
my_head = facepipe_extra.head
[facepipe.scores]
my-score = facepipe_extra.score
[facepipe.poolings]
my-pooling = facepipe_extra.pooling
[facepipe.flips]
my-flip = facepipe_extra.flip
[facepipe.accuracy_rules]
my-rule = facepipe_extra.rule
[facepipe.detectors]
my-detector = facepipe_extra.detector
[facepipe.detector_presets]
my-preset = facepipe_extra.detector
[facepipe.protocols]
my_protocol = facepipe_extra.protocol:my_protocol
[facepipe.commands]
greet = facepipe_extra.greet:command
[facepipe.commands.eval]
greet = facepipe_extra.greet:command
[facepipe.commands.gallery]
greet = facepipe_extra.greet:command
[facepipe.commands.inspect]
greet = facepipe_extra.greet:command
[facepipe.commands.models]
greet = facepipe_extra.greet:command
"""
USE = """
import json
import numpy as np
import torch
from facepipe import backbones, evaluate, losses, uncertainty
from facepipe.detection.detectors import DETECTORS, PRESETS
from facepipe.flips import FLIPS
from facepipe.protocols import ACCURACY_RULES
from facepipe.score.pair_scores import SCORES
from facepipe.score.poolings import POOLINGS

network = backbones.create("my_net")
loss = losses.create("my_loss", num_classes=3, embedding_dim=8)
head = uncertainty.create("my_head", feature_shape=(4, 2, 2), embedding_dim=8, stage_channels=(4,))
print(json.dumps({
    "network": list(network.eval()(torch.zeros(1, 3, 32, 32)).shape),
    "loss": type(loss).__name__,
    "head": type(head).__name__,
    "score": SCORES["my-score"].help,
    "pooling": POOLINGS["my-pooling"].help,
    "flip": FLIPS["my-flip"].help,
    "rule": ACCURACY_RULES["my-rule"].help,
    "detector": DETECTORS["my-detector"].create(PRESETS["my-preset"].settings, "cpu", "torch"),
    "protocol": evaluate.my_protocol.__name__,
}))
"""


@pytest.fixture(scope="module")
def facepipe(tmp_path_factory):
    """Python with the package on its path: words → what is said."""
    root = tmp_path_factory.mktemp("installed")
    package = root / "facepipe_extra"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name, code in FILES.items():
        (package / f"{name}.py").write_text(dedent(code).lstrip("\n"))
    info = root / "facepipe_extra-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: facepipe-extra\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)

    def call(*words):
        before = f"import sys; sys.path.insert(0, {str(root)!r})\n"
        script = f"{before}from facepipe.cli.main import main; main()" if words[0] != "-c" else before + words[1]
        words = words if words[0] != "-c" else ()
        return subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True)

    return call


def test_a_thing_of_every_kind(facepipe):
    ended = facepipe("-c", USE)
    assert ended.returncode == 0, ended.stderr
    made = json.loads(ended.stdout)
    assert made["network"] == [1, 8] and made["detector"] == "found" and made["protocol"] == "my_protocol"
    assert (made["score"], made["pooling"], made["flip"]) == ("less than nothing", "as mean", "the difference")
    assert made["rule"] == "none" and made["loss"] and made["head"]


def test_options_list_what_is_added(facepipe):
    told = " ".join(facepipe("eval", "ytf", "--help").stdout.split())
    assert "my-score" in told and "my-pooling" in told and "my-rule" in told and "the difference" in told
    assert "finds nothing" in told and "my-preset" in told


def test_commands_are_listed_and_called(facepipe):
    for group in ((), ("eval",), ("gallery",), ("inspect",), ("models",)):
        told = facepipe(*group, "--help").stdout
        assert "greet" in told and "Says hello." in told
        assert facepipe(*group, "greet").stdout == "hello\n"


def test_a_protocol_is_a_command_with_its_options(facepipe, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("a b c")
    assert "Counts what it is given." in facepipe("eval", "--help").stdout
    told = " ".join(facepipe("eval", "my_protocol", "--help").stdout.split())
    assert "PATH is not read." in told and "What is counted. [required]" in told and "[a|b]" in told
    words = ["eval", "my_protocol", tmp_path, "--lists", listed]
    one = json.loads(facepipe(*words, "--json").stdout)
    assert one == {
        "protocol": "mine", "count": 3, "rows": [{"name": "a", "share": 0.5}, {"name": "x", "share": None}],
        "settings": {"model": "m", "score": "cosine"},
    }  # fmt: skip
    more = ["--times", 2, "--twice", "--kind", "b", "--at", 0.25, "--score", "my-score"]
    two = json.loads(facepipe(*words, *more, "--json").stdout)
    assert two["count"] == 12 and two["rows"][0] == {"name": "b", "share": 0.25}
    assert two["settings"]["score"] == "my-score"
    shown = facepipe(*words).stdout
    assert "mine, m, cosine: count 3" in shown and "name  share" in shown and "–" in shown
    assert "0 is not in the range" in facepipe(*words, "--times", 0).stderr
    saved = listed.rename(tmp_path / "list.parquet")
    assert "would replace the input" in facepipe(*words[:-1], saved, "--save", saved, "--overwrite").stderr
