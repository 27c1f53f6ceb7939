"""Options that the commands of verification protocols share."""

from collections.abc import Callable
from typing import Any

import click

score = click.option(
    "--score",
    type=click.Choice(["cosine", "scf", "mls"]),
    default="cosine",
    show_default=True,
    help="cosine; scf needs a model with a kappa head, mls one with a sigma2 head.",
)
on_miss = click.option(
    "--on-miss",
    type=click.Choice(["centre", "skip", "fail"]),
    default="centre",
    show_default=True,
    help="An image without a detected face: use its centre, skip its pairs, or stop.",
)
fars = click.option(
    "--far",
    "fars",
    multiple=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="False-accept rate of the TAR table; may be repeated [default: 1e-1 ... 1e-6].",
)


def accuracy_rule(default: str) -> Callable[..., Any]:
    """``--rule``, with the default that the protocol's literature has."""
    return click.option(
        "--rule",
        "accuracy_rule",
        type=click.Choice(["sphereface", "insightface"]),
        default=default,
        show_default=True,
        help="sphereface: mean subtraction, fine thresholds; insightface: its verification.py.",
    )
