"""Options for embedding images, for every ``facepipe eval`` command."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facepipe.cli import options, workers
from facepipe.cli.door import TABLES, Output
from facepipe.cli.made import is_embeddings
from facepipe.cli.screen import note, progress

if TYPE_CHECKING:
    from facepipe.evaluation.source import Source

F = TypeVar("F", bound=Callable[..., Any])

source_path = click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
"""PATH: a folder of images, or a file of embeddings; several form an ensemble."""
SAVE = Output("save", TABLES, is_replaceable=is_embeddings)
"""The output of these options."""
FIELDS = (
    "paths", "models", "flip", "rule", "already_aligned", "save", "precision", "device", "engine", "warp", "detection",
    "on",
)  # fmt: skip
"""Parameters of the commands that belong to the source."""


def source_options(command: F) -> F:
    """Add the options; the command receives them and its ``paths`` as ``source``."""
    return _with_options(
        command,
        [
            options.models,
            options.flip,
            options.dataset_face,
            options.already_aligned,
            _save,
            options.figure_precision,
            options.device,
            options.engine,
            options.warp,
            options.detection,
            workers.on_workers,
        ],
    )


def crop_options(command: F) -> F:
    """`source_options` for a dataset of only aligned crops."""
    where = [options.device, options.engine, workers.on_workers]
    return _with_options(command, [options.models, options.flip, _save, options.figure_precision, *where])


def make_source(source_options: dict[str, Any]) -> "Source":
    """The source described by parameters named in `FIELDS`; it reports on stderr."""
    from facepipe.evaluation.source import Source

    words = {"faces" if name == "rule" else name: value for name, value in source_options.items()}
    return Source(**words, progress=progress, note=lambda text: note(text, style="yellow"))


_save = click.option("--save", type=options.stored_output, help="Save the embeddings to this Parquet file.")


def _with_options(command: F, wanted: list[Callable[[Any], Any]]) -> F:
    @wraps(command)
    def wrapped(**words: Any) -> Any:
        source_options = {name: words.pop(name) for name in FIELDS if name in words}
        return command(source=make_source(source_options), **words)

    decorated: Any = wrapped
    for option in reversed(wanted):
        decorated = option(decorated)
    return decorated
