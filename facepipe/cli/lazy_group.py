"""Command groups: one that suggests names for typos, and one that imports its commands on demand.

Importing PyTorch alone would take too long for ``facepipe --help``.
"""

import click

from facepipe.cli.help_text import HelpContext
from facepipe.errors import FacepipeError
from facepipe.nearest import nearest
from facepipe.registry import FileRegistry

_LONG = 1000
"""Maximum length of a first sentence, long enough to never truncate."""


class Group(click.Group):
    """Suggests the nearest command for a mistyped name; formats help pages with `HelpContext`."""

    context_class = HelpContext

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its full first sentence."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries(ctx).items()))

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        """Command → one-sentence description."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        return {name: command.get_short_help_str(_LONG) for name, command in commands.items() if command is not None}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click.

        Raises:
            UsageError: there is no such command; the message suggests the nearest.
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
    """A group of a registry's commands, imported on demand, with descriptions read from their files."""

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
        """The command, or None if there is none of that name."""
        if cmd_name not in self.registry:
            return None
        return self.registry[cmd_name]

    def summaries(self, ctx: click.Context) -> dict[str, str]:  # noqa: ARG002
        """See `lines`; imports no command."""
        return self.lines()


def command_files(folder: str, *first: str) -> FileRegistry[click.Command]:
    """The commands of a folder below ``facepipe.cli.commands``, one per file, named ``command`` in it.

    Installed packages add commands by entry points of a group named like the folder without ``cli``:
    ``facepipe.commands``, ``facepipe.commands.eval`` ...

    Args:
        folder: ``facepipe.cli.commands`` or a package in it.
        first: names listed first, in this order.
    """
    group = folder.replace(".cli.", ".")
    return FileRegistry("command", group, FacepipeError, folder=folder, attribute="command", first=first)
