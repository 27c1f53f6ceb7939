"""Options for pooling faces into templates, for the IJB commands."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facepipe.cli import options
from facepipe.cli.choices import template_pooling

if TYPE_CHECKING:
    from facepipe.protocols.ijb.template_pooling import TemplateRecipe

F = TypeVar("F", bound=Callable[..., Any])

def template_options(weights: bool) -> Callable[[F], F]:
    """Add the options; the command receives them as ``recipe``.

    Args:
        weights: whether feature norm and detector score are used by default.
    """

    def decorate(command: F) -> F:
        @wraps(command)
        def wrapped(**words: Any) -> Any:
            names = ("pool", "halves", "feature_norm", "detector_score", "media", "media_weights", "temperature")
            return command(recipe=_recipe(**{name: words.pop(name) for name in names}), **words)

        decorated: Any = wrapped
        for option in reversed(_options(weights)):
            decorated = option(decorated)
        return decorated

    return decorate


def _options(weights: bool) -> list[Callable[[Any], Any]]:
    return [
        template_pooling,
        click.option(
            "--halves",
            type=click.Choice(["sum", "first", "keep"]),
            default="sum",
            show_default=True,
            help="Embeddings made with --flip concat: add the mirror image's half, drop it, or keep both.",
        ),
        click.option(
            "--feature-norm/--no-feature-norm",
            default=weights,
            show_default=True,
            help="Weight features by their norm (media, mean).",
        ),
        click.option(
            "--detector-score/--no-detector-score",
            default=weights,
            show_default=True,
            help="Multiply features by the detection score (media, mean).",
        ),
        click.option(
            "--media-average/--no-media-average",
            "media",
            default=None,
            help="Average the faces of a photo or video first [default: yes, except for --pool mean].",
        ),
        click.option(
            "--media-weights",
            type=click.Choice(["together", "equal"]),
            default="together",
            show_default=True,
            help="kappa, sigma2: a photo or video has the total weight of its faces (Eq. 14 over all faces), or all "
            "have equal weight.",
        ),
        click.option(
            "--temperature",
            type=options.Number(0, min_open=True),
            default=1.0,
            show_default=True,
            help="kappa, sigma2: weights are raised to 1/T (ProbFace).",
        ),
    ]


def _recipe(**switches: Any) -> "TemplateRecipe":
    from facepipe.protocols.ijb.template_pooling import TemplateRecipe

    return TemplateRecipe(**switches)
