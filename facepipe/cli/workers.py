"""Options of where the work runs: in this process, or at workers of Ray."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facepipe.cli.screen import note

if TYPE_CHECKING:
    from facepipe.workers import OnRay

F = TypeVar("F", bound=Callable[..., Any])


def on_workers(command: F) -> F:
    """``--on`` and ``--workers``; the command gets them as ``on``: an `OnRay`, or None for this process."""

    @wraps(command)
    def wrapped(**words: Any) -> Any:
        return command(on=chosen_workers(words), **words)

    decorated: Any = wrapped
    for option in (_WORKERS, _ON):
        decorated = option(decorated)
    return decorated


def chosen_workers(words: dict[str, Any]) -> "OnRay | None":
    """Take the parameters of `on_workers` out of a command's.

    Raises:
        UsageError: they make no sense.
    """
    where, workers = words.pop("on"), words.pop("workers")
    if where is None:
        if workers is not None:
            raise click.UsageError("--workers is the number of Ray workers: add --on ray.")
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
    help="Work on Ray workers instead of in this process: on this machine (ray), or on a cluster (ray:HOST:PORT, "
    "ray://HOST:PORT, or the environment variable RAY_ADDRESS) whose machines see the same files. Needs the "
    "extra ray.",
)
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of Ray workers [default: one on each GPU, or on each core].",
)
