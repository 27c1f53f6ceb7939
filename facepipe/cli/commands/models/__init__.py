"""List, fetch, import and export models."""

import click

from facepipe.cli.lazy_group import LazyGroup, command_files

_COMMANDS = command_files(__name__, "list", "show", "pull", "import", "export")


@click.group("models", cls=LazyGroup, commands=_COMMANDS, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List, fetch, import and export models."""
    if context.invoked_subcommand is None:
        from facepipe.cli.commands.models.list import command as list_models

        context.invoke(list_models)
