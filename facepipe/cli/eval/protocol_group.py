"""The commands of ``facepipe eval``: those made from protocols on demand, and some with their own file."""

import click

from facepipe.cli.lazy_group import LazyGroup
from facepipe.evaluation import PROTOCOLS


class ProtocolGroup(LazyGroup):
    """Uses a command's own file if there is one, otherwise makes it from the protocol's function."""

    def lines(self) -> dict[str, str]:
        """Protocols in their order, then the other commands."""
        return PROTOCOLS.lines() | super().lines()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None if there is none of that name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None or cmd_name not in PROTOCOLS:
            return command
        from facepipe.cli.eval.protocol_command import protocol_command

        return protocol_command(cmd_name, PROTOCOLS[cmd_name])
