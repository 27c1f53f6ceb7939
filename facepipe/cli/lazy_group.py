"""Groups of commands: one that knows what a mistyped name means, and one that imports its commands when asked for.

PyTorch alone takes longer to import than ``facepipe --help`` may take.
"""

from importlib import import_module
from keyword import iskeyword

import click

from facepipe.nearest import nearest


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
    """Each command is ``command`` of the module ``facepipe.cli.PREFIX + name``, with a ``_`` behind it where
    Python keeps the name for itself.

    Args:
        modules: prefix of the modules' names.
        lines: command → its line of help, in the order in which they are listed.
    """

    def __init__(self, *, modules: str, lines: dict[str, str], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.modules, self.lines = modules, lines

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of ``lines``."""
        return list(self.lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None when there is none of that name."""
        if cmd_name not in self.lines:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = import_module(f"facepipe.cli.{self.modules}{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.lines.items()))
