"""Options shared by the commands of verification protocols."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from facepipe.cli import options
from facepipe.cli.choices import accuracy_rules, table_option

F = TypeVar("F", bound=Callable[..., Any])

on_miss = click.option(
    "--on-miss",
    type=click.Choice(["centre", "skip", "fail"]),
    default="centre",
    show_default=True,
    help="An image without a detected face: use its centre, skip its pairs, or fail. skip also skips missing and "
    "unreadable images.",
)
fars = click.option(
    "--far",
    "fars",
    multiple=True,
    type=options.RATE,
    help="False-accept rate of the TAR table; may be repeated [default: 1e-1 ... 1e-6].",
)
damage = click.option("--damage", type=click.Choice(["standard"]), help="Add damaged copies of the images.")


form = options.pairs_format(
    "csv: columns a,b,same[,fold] with headings; lfw: LFW's pairs.txt; two-lines: CALFW's and CPLFW's lists; "
    "lines: IMAGE IMAGE 1; auto: detected from the first line."
)


def pairs_list(command: F) -> F:
    """``--pairs`` and `form`; the command receives them as ``pairs`` and ``form``."""
    pairs = click.option(
        "--pairs", "pairs", required=True, type=click.Path(path_type=Path), help="List of pairs, see --format."
    )
    return pairs(form(command))


def accuracy_rule(default: str, parameter: str) -> Callable[..., Any]:
    """``--rule`` as ``parameter``, with the default of the protocol's literature."""
    return table_option(
        "--rule",
        parameter,
        lines=accuracy_rules,
        default=default,
        show_default=True,
        help="Rule for computing accuracy.",
    )
