"""Groups of commands: one that knows what a mistyped name means, and one that imports its commands when asked for.

PyTorch alone takes longer to import than ``facepipe --help`` may take.
"""

import click

from facepipe.cli.help_text import HelpContext
from facepipe.errors import FacepipeError
from facepipe.nearest import nearest
from facepipe.registry import FileRegistry

_LONG = 1000
"""Characters of a first sentence: none is cut."""


class Group(click.Group):
    """Suggests the command that was meant by a mistyped name; its help pages are laid out by `HelpContext`."""

    context_class = HelpContext

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its first sentence in full."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries(ctx).items()))

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        """Command → what it does, in one sentence."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        return {name: command.get_short_help_str(_LONG) for name, command in commands.items() if command is not None}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As of click.

        Raises:
            UsageError: there is no such command; names the nearest.
        """
        name = args[0]
        if ctx.resilient_parsing or self.get_command(ctx, name) is not None or name.startswith("-"):
            found = super().resolve_command(ctx, args)
            if found[1] is not None:
                found[1].context_class = HelpContext
            return found
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

    def summaries(self, ctx: click.Context) -> dict[str, str]:  # noqa: ARG002
        """`lines`: no command is imported for them."""
        return self.lines()


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
