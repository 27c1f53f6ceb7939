"""Print a script that lets bash, zsh or fish complete commands, models and recipes."""

import click
from click.shell_completion import ShellComplete, get_completion_class

_VARIABLE = "_FACEPIPE_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print a script that lets a shell complete commands, options, models and recipes.

    \b
    bash:  eval "$(facepipe completion bash)"        in ~/.bashrc
    zsh:   eval "$(facepipe completion zsh)"         in ~/.zshrc, after compinit
    fish:  facepipe completion fish > ~/.config/fish/completions/facepipe.fish
    """
    from facepipe.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    # Click's own source for bash runs bash for its version, which may not be installed.
    click.echo(ShellComplete.source(kind(cli, {}, "facepipe", _VARIABLE)))
