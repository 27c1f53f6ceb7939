"""``facepipe eval``: one sub-command per protocol."""

from importlib import import_module

import click

PROTOCOLS = {"lfw": "Labeled Faces in the Wild, view 2: ten-fold verification accuracy."}


class Protocols(click.Group):
    """Imports a protocol's command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of `PROTOCOLS`."""
        return list(PROTOCOLS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The protocol's command, or None."""
        if cmd_name not in PROTOCOLS:
            return None
        command: click.Command = import_module(f"facepipe.cli.eval_{cmd_name}").command
        return command


@click.group("eval", cls=Protocols)
def command() -> None:
    """Run an evaluation protocol."""
