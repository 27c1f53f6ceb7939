"""The commands of ``facepipe eval``: those of the protocols, made when asked for, and some with a file of their own."""

import click

from facepipe.cli.lazy_group import LazyGroup
from facepipe.evaluation import PROTOCOLS


class ProtocolGroup(LazyGroup):
    """A protocol's command is its own, or else made from its function."""

    def lines(self) -> dict[str, str]:
        """Protocols in their order, then the other commands."""
        return PROTOCOLS.lines() | super().lines()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None when there is none of that name."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in PROTOCOLS:
            return own
        from facepipe.cli.eval.protocol_command import protocol_command

        return protocol_command(cmd_name, PROTOCOLS[cmd_name])
