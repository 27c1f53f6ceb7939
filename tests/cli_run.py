"""The command line in this process, as a user would see it, and a tiny model for it."""

import hashlib
import io
import json
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as one JSON value, of a command that ended well and said nothing else there."""
        assert self.code in (0, 1), self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(*words: object) -> Outcome:
    """Call the entry point with these words; torch is imported once for all tests."""
    from facepipe.cli.main import main

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["facepipe", *map(str, words)])
        # What a command says must not depend on how fast the machine is.
        patch.setattr("facepipe.cli.screen.QUIET_SECONDS", float("inf"))
        with pytest.raises(SystemExit) as end:
            main()
    code = 0 if end.value.code is None else end.value.code
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    assert "Traceback" not in "".join(texts)
    return Outcome(code, *texts)


class _Screen(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(do: Callable[[], object], width: int | None) -> Outcome:
    """What ``do`` writes on a plain terminal of ``width`` columns; into pipes where it is None."""
    from facepipe.cli.logs import start_logging

    start_logging()
    kind = io.TextIOWrapper if width is None else _Screen
    out, err = (kind(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        _plain_terminal(patch, width or 80)
        do()
    return Outcome(0, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def shown_on_terminal(width: int, *words: object) -> Outcome:
    """`run` on a plain terminal of ``width`` columns; what goes to stdout and stderr is together in ``out``."""
    from facepipe.cli.main import main

    screen = _Screen(io.BytesIO(), "utf-8", write_through=True)
    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
        redirect_stdout(screen),
        redirect_stderr(screen),
    ):
        _plain_terminal(patch, width)
        patch.setattr(sys, "argv", ["facepipe", *map(str, words)])
        patch.setattr("facepipe.cli.screen.QUIET_SECONDS", float("inf"))
        with pytest.raises(SystemExit) as end:
            main()
    told = screen.buffer.getvalue().decode()
    assert "Traceback" not in told
    return Outcome(int(end.value.code or 0), told, "")


def _plain_terminal(patch: pytest.MonkeyPatch, width: int) -> None:
    for name, value in (("TERM", "dumb"), ("COLUMNS", str(width)), ("LINES", "40")):
        patch.setenv(name, value)


def refused(*words: object, code: int = 2) -> str:
    """The one line on stderr of a command that could not be carried out."""
    ended = run(*words)
    assert ended.code == code, ended
    assert ended.out == "", ended.out
    assert ended.err.startswith("facepipe: ") and ended.err.count("\n") == 1, ended.err
    return ended.err.removeprefix("facepipe: ").rstrip("\n")


def tiny_model(folder: Path, head: str = "", quantiles: tuple[float, ...] = ()) -> Path:
    """A run folder with an untrained network of a few thousand weights, 112×96, a head if one is named, and thresholds.

    The head says something else of every face.
    """
    import torch
    from safetensors.torch import save_file

    from facepipe.backbones import create
    from facepipe.zoo import Card, Uncertainty, save_card
    from facepipe.zoo.headed import Headed, head_for

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    network = create("sphereface4", input_size=(112, 96), embedding_dim=8, width=0.125)
    section = Uncertainty(head=head, quantiles=quantiles, measured_on="nobody") if head else None
    weights = network.state_dict()
    if section is not None:
        made = head_for(network, section)
        with torch.no_grad():
            for weight in made.parameters():
                weight.copy_(0.3 * torch.randn(weight.shape))
        weights = Headed(network, made).state_dict()
    save_file(weights, folder / "weights.safetensors")
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    fields = {
        "name": "tiny",
        "title": "an untrained network",
        "backbone": "sphereface4",
        "backbone_options": {"width": 0.125},
        "input": {"size": (112, 96), "template": "112x96", "channels": "rgb", "mean": 127.5, "scale": 128.0},
        "embedding": {"dim": 8, "flip": "concat"},
        "weights": {"file": "weights.safetensors", "format": "safetensors", "sha256": digest},
        "uncertainty": section,
        "thresholds": [
            {"far": 1e-3, "value": 0.5, "calibrated_on": "nothing"},
            *({"far": 1e-3, "value": -40.0, "score": s, "calibrated_on": "nothing"} for s in ("scf", "mls") if head),
        ],
    }
    save_card(Card.of(fields), folder / "card.toml")
    return folder
