"""Options for training data and overrides of a recipe, used by `facepipe.train.recipe.resolve`."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from facepipe.cli.photo_type import STORED

F = TypeVar("F", bound=Callable[..., Any])

data = click.option(
    "--data",
    "-d",
    "paths",
    multiple=True,
    type=STORED,
    help="Training data; may be repeated.",
)
overrides = click.option(
    "--set",
    "-s",
    "overrides",
    multiple=True,
    metavar="SECTION.FIELD=VALUE",
    help="Override a field; may be repeated.",
)
seed = click.option("--seed", type=click.IntRange(min=0), help="Short for --set loop.seed=N.")


identity_depth = click.option(
    "--identity-depth", type=click.IntRange(1), help="Short for --set data.identity_depth=N."
)


def with_short(overrides: tuple[str, ...], seed: int | None, identity_depth: int | None = None) -> tuple[str, ...]:
    """The overrides, followed by those of ``--seed`` and ``--identity-depth``."""
    short = {"loop.seed": seed, "data.identity_depth": identity_depth}
    return (*overrides, *(f"{name}={value}" for name, value in short.items() if value is not None))
