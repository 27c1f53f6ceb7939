"""Run an evaluation protocol (LFW ...)."""

import click

from facepipe.cli.eval.protocol_group import ProtocolGroup
from facepipe.cli.lazy_group import command_files


# This folder has commands that do more than call a protocol's function: draw, write files or compare results.
@click.group("eval", cls=ProtocolGroup, commands=command_files(__name__))
def command() -> None:
    """Run an evaluation protocol."""
