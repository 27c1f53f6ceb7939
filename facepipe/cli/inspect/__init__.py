"""``facepipe inspect``: looking inside a loss or a set of embeddings."""

import click

from facepipe.cli.lazy_group import LazyGroup

VIEWS = {
    "toy": "SphereFace's toy picture: 2-D and 3-D features under softmax and m = 1 … 4.",
    "angles": "Angles within and between people, and the angular Fisher score.",
    "reliability": "Whether the probabilities of 'facepipe compare' come true.",
}


@click.group("inspect", cls=LazyGroup, modules="inspect.", lines=VIEWS)
def command() -> None:
    """Look inside a loss or a set of embeddings."""
