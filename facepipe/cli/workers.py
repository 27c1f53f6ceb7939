"""Options for where the work runs: in this process or on Ray workers."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facepipe.cli.screen import note

if TYPE_CHECKING:
    from facepipe.workers import OnRay

F = TypeVar("F", bound=Callable[..., Any])


def on_workers(command: F) -> F:
    """``--on`` and ``--workers``; the command receives them as ``on``: an `OnRay`, or None for this process."""

    @wraps(command)
    def wrapped(**words: Any) -> Any:
        return command(on=chosen_workers(words), **words)

    decorated: Any = wrapped
    for option in (_WORKERS, _ON):
        decorated = option(decorated)
    return decorated


def chosen_workers(words: dict[str, Any]) -> "OnRay | None":
    """Remove the parameters of `on_workers` from a command's.

    Raises:
        UsageError: they contradict each other.
    """
    where, workers = words.pop("on"), words.pop("workers")
    if where is None:
        if workers is not None:
            raise click.UsageError("--workers needs --on ray.")
        return None
    from facepipe.workers import OnRay

    kind, _, address = where.partition(":")
    if kind != "ray":
        raise click.UsageError(f"--on {where}: must be ray, ray:HOST:PORT or ray://HOST:PORT.")
    address = where if address.startswith("//") else address
    return OnRay(address, workers or 0, note=lambda text: note(text, style="yellow"))


_ON = click.option(
    "--on",
    metavar="ray[:ADDRESS]",
    help="Use Ray workers instead of this process: on this machine (ray), or on a cluster (ray:HOST:PORT, "
    "ray://HOST:PORT, or the environment variable RAY_ADDRESS) whose machines share the files. Needs the "
    "extra ray.",
)
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of Ray workers [default: one per GPU, or one per core].",
)
