"""``facepipe models``: one sub-command per file."""

import click

from facepipe.cli.lazy_group import LazyGroup

COMMANDS = {
    "list": "All models, and the weights of detectors, one line each; 'facepipe models show NAME' tells more.",
    "show": "One model's card: how it is fed, where it comes from, its thresholds.",
    "pull": "Download a model's weights into the cache and check their SHA-256.",
    "import": "Put a file of weights into the cache.",
    "export": "Write a model for use elsewhere.",
}


@click.group("models", cls=LazyGroup, modules="models.", lines=COMMANDS, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List, fetch, import and export models."""
    if context.invoked_subcommand is None:
        from facepipe.cli.models.list import command as list_models

        context.invoke(list_models)
