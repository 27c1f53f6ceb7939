"""Groups of commands: one that knows what a mistyped name means, and one that imports its commands when asked for.

PyTorch alone takes longer to import than ``facepipe --help`` may take.
"""

import click

from facepipe.errors import FacepipeError
from facepipe.nearest import nearest
from facepipe.registry import FileRegistry


class Group(click.Group):
    """Says which command was meant by a name that is none."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As of click.

        Raises:
            UsageError: there is no such command; names the nearest.
        """
        name = args[0]
        if ctx.resilient_parsing or self.get_command(ctx, name) is not None or name.startswith("-"):
            return super().resolve_command(ctx, args)
        meant = nearest(name, self.list_commands(ctx))
        raise click.UsageError(f"No such command {name!r}." + (f" Did you mean {meant!r}?" if meant else ""), ctx)


class LazyGroup(Group):
    """The commands of a registry, which are imported when asked for; their files say what is listed of them."""

    def __init__(self, *, commands: FileRegistry[click.Command], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.registry = commands

    def lines(self) -> dict[str, str]:
        """Command → its line of help, without importing it."""
        return self.registry.lines()

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of `lines`."""
        return list(self.lines())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None when there is none of that name."""
        if cmd_name not in self.registry:
            return None
        return self.registry[cmd_name]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.lines().items()))


def command_files(folder: str, *first: str) -> FileRegistry[click.Command]:
    """The commands of a folder below ``facepipe.cli.commands``: a file each, whose ``command`` it is.

    Installed packages add others by entry points of a group that is called like the folder without ``cli``:
    ``facepipe.commands``, ``facepipe.commands.eval`` ...

    Args:
        folder: ``facepipe.cli.commands`` or a package in it.
        first: names that are listed first, in this order.
    """
    group = folder.replace(".cli.", ".")
    return FileRegistry("command", group, FacepipeError, folder=folder, attribute="command", first=first)
