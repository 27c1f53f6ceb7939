"""Diagnostics: angles between people, reliability of probabilities, SphereFace's toy picture."""

import click

from facepipe.cli.lazy_group import LazyGroup, command_files


@click.group("inspect", cls=LazyGroup, commands=command_files(__name__, "toy", "angles", "reliability"))
def command() -> None:
    """Diagnostics of losses and embeddings."""
