"""Look inside: angles between people, whether probabilities come true, SphereFace's toy picture."""

import click

from facepipe.cli.lazy_group import LazyGroup, command_files


@click.group("inspect", cls=LazyGroup, commands=command_files(__name__, "toy", "angles", "reliability"))
def command() -> None:
    """Look inside a loss or a set of embeddings."""
