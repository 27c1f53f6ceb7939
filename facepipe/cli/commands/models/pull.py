"""Download a model's weights into the cache and check their SHA-256."""

import sys
from typing import Any

import click

from facepipe.cli.named import WEIGHTS
from facepipe.cli.screen import is_terminal


@click.command("pull")
@click.argument("name", type=WEIGHTS)
def command(name: str) -> None:
    """Download a model's weights into the cache and check their SHA-256."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from facepipe.zoo import find_any_card, pull

    card = find_any_card(name)
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    hidden = not is_terminal(sys.stderr)
    plain: Any = {"transient": True, "redirect_stdout": False, "disable": hidden}
    with Progress(*columns, console=console, **plain) as bar:
        task = bar.add_task(f"downloading {name}", total=None)
        path = pull(card, lambda done, total: bar.update(task, completed=done, total=total))
    click.echo(f"{name}: {path}")
