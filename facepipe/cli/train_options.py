"""Options that say what is trained, and how otherwise than its recipe; `facepipe.train.recipe.resolve` takes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

data = click.option(
    "--data",
    "-d",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
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


def with_seed(overrides: tuple[str, ...], seed: int | None) -> tuple[str, ...]:
    """The overrides, and that of ``--seed`` after them."""
    return overrides if seed is None else (*overrides, f"loop.seed={seed}")
