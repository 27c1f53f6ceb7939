"""``facepipe inspect``: looking inside a loss or a set of embeddings."""

from importlib import import_module

import click

VIEWS = {
    "toy": "SphereFace's toy picture: 2-D and 3-D features under softmax and m = 1 … 4.",
    "angles": "Angles within and between people, and the angular Fisher score.",
}


class Views(click.Group):
    """Imports a view's command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of `VIEWS`."""
        return list(VIEWS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The view's command, or None."""
        if cmd_name not in VIEWS:
            return None
        command: click.Command = import_module(f"facepipe.cli.inspect_{cmd_name}").command
        return command


@click.group("inspect", cls=Views)
def command() -> None:
    """Look inside a loss or a set of embeddings."""
