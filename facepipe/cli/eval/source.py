"""Where an evaluation gets its embeddings: raw images, aligned crops or files of embeddings.

Every ``facepipe eval`` command takes the options of `source_options` and gets one `Source`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facepipe.cli import options
from facepipe.cli.mixed_precision import tell_mixed
from facepipe.cli.screen import note, progress
from facepipe.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np

    from facepipe.detection import Detector, DetectorSettings
    from facepipe.embedding import Embedder, Embeddings
    from facepipe.pipeline import Cropper, Read

F = TypeVar("F", bound=Callable[..., Any])

source_path = click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
"""PATH: a folder of images, or a file of embeddings; several make an ensemble."""


@dataclass(frozen=True)
class Source:
    """What the options of `source_options` say. Several models, or several paths, make an ensemble."""

    paths: tuple[Path, ...]
    models: tuple[str, ...]
    flip: str | None
    rule: str
    already_aligned: bool
    save: Path | None
    precision: str
    device: str
    detection: "DetectorSettings | None"
    wrap: "Callable[[Cropper], Cropper] | None" = None
    """Makes another cropper of the usual one, such as one that damages; no option says it, nor the next three."""
    rename: "Callable[[Embeddings], Embeddings] | None" = None
    """Gives the crops of such a cropper paths of their own."""
    regions: "Callable[[Path], Read] | None" = None
    """A folder → what opens a part of an image in it, by the name of the part; where names are not files."""
    halves: str = "keep"
    """What becomes of the halves of an ensemble's members, see `facepipe.ensemble.concatenate`."""

    def detector(self) -> "Detector":
        """The detector that the options describe."""
        from facepipe.detection import create_detector

        return create_detector(self.detection, self.device)

    @property
    def has_embeddings(self) -> bool:
        """Whether the paths are files of embeddings."""
        return bool(self.paths) and all(path.is_file() for path in self.paths)

    def below(self, inner: Callable[[Path], Path]) -> "Source":
        """The same, with folders replaced by what ``inner`` finds in them."""
        return replace(self, paths=tuple(path if path.is_file() else inner(path) for path in self.paths))

    def embeddings(self, names: Sequence[str], what: str, read: "Read | None" = None) -> "Embeddings":
        """Embeddings of at least the images ``names``.

        Args:
            names: paths of images without extension, below the folder that PATH names.
            what: the dataset, for the progress bar.
            read: opens an image that is no file of its own: called with its name as path.

        Raises:
            DatasetError: a path is missing, an image is not below it, or the options do not fit each other.
        """
        self._before()
        made = self.has_embeddings or (read is not None and bool(self.paths))
        parts = self._load() if made else self._embed(names, what, read)
        return self._together(parts, names)

    def listed(self, files: Callable[[Path], Sequence[Path]], what: str) -> "Embeddings":
        """Embeddings of the images that ``files`` finds in a folder, for datasets whose lists do not name them."""
        self._before()
        if self.has_embeddings:
            return self._together(self._load(), None)
        return self._together([self._run(path, files(path), models, what) for path, models in self._runs()], None)

    def _before(self) -> None:
        """Tell before hours of work, not after them, that the embeddings cannot be kept."""
        from facepipe.files import require_writable

        if self.save is not None:
            require_writable(self.save)

    def _load(self) -> list["Embeddings"]:
        from facepipe.embedding import load_embeddings
        from facepipe.embedding.identity import lacks_cut

        if self.models or self.flip or self.already_aligned:
            raise DatasetError(
                f"{self.paths[0]}: these embeddings are made; --model, --flip and --already-aligned do not apply"
            )
        loaded = [load_embeddings(path) for path in self.paths]
        for path, embeddings in zip(self.paths, loaded, strict=True):
            if lacks_cut(embeddings.model):
                note(f"{path}: older than the recording of cuts; its 112×112 crops were cut the old way", "yellow")
        return loaded

    def _embed(self, names: Sequence[str], what: str, read: "Read | None") -> list["Embeddings"]:
        from facepipe.datasets.samples.find_image import find_image

        if read is not None:
            return [self._run(Path(), [Path(name) for name in names], list(self.models), what, read)]
        if self.regions is not None:
            parts = [Path(name) for name in names]
            return [self._run(path, parts, models, what, self.regions(path)) for path, models in self._runs()]
        return [
            self._run(path, [find_image(path, name) for name in names], models, what) for path, models in self._runs()
        ]

    def _runs(self) -> list[tuple[Path, list[str]]]:
        """Folders with the models for each: all for a single folder, else one each."""
        for path in self.paths:
            if not path.is_dir():
                raise DatasetError(f"{path}: no such folder or embeddings file; PATH holds the dataset's images")
        if len(self.paths) == 1:
            return [(self.paths[0], list(self.models))]
        models = list(self.models) * (len(self.paths) if len(self.models) == 1 else 1)
        if models and len(models) != len(self.paths):
            raise DatasetError(
                f"{len(self.paths)} folders and {len(models)} models: give one model for all, or one for each"
            )
        return [(path, models[number : number + 1]) for number, path in enumerate(self.paths)]

    def _run(
        self, folder: Path, files: Sequence[Path], models: list[str], what: str, read: "Read | None" = None
    ) -> "Embeddings":
        from facepipe.embedding import join
        from facepipe.ensemble import embed_ensemble

        if not files:
            raise DatasetError(f"{folder}: no images of {what} in it; check the path")
        members = self._members(models)
        if self.already_aligned and read is None:
            for _, embedder in members:
                options.check_crops(folder, embedder)
        with progress(what, len(files)) as advance:
            embeddings = join(list(embed_ensemble(files, members, advance, read, self.halves)))
        return embeddings if self.rename is None else self.rename(embeddings)

    def _members(self, models: list[str]) -> list[tuple["Cropper", "Embedder"]]:
        from facepipe.ensemble import SameFaces

        detector: Detector | None = None
        if not self.already_aligned:
            detector = SameFaces(self.detector())
        named: list[str | None] = [*models] or [None]
        return [self._member(model, detector) for model in named]

    def _member(self, model: str | None, detector: "Detector | None") -> tuple["Cropper", "Embedder"]:
        from facepipe.alignment import Aligner
        from facepipe.pipeline import Cropper

        embedder = options.make_embedder(model, self.flip, self.precision, self.device)
        cropper = Cropper(Aligner(embedder.model.card.input.template), detector, self.rule, "centre")
        return cropper if self.wrap is None else self.wrap(cropper), embedder

    def _together(self, parts: list["Embeddings"], names: Sequence[str] | None) -> "Embeddings":
        """One of several, in the order of ``names`` where they come from different folders or files."""
        from facepipe.embedding import save_embeddings
        from facepipe.ensemble import concatenate

        if len(parts) > 1 and names is not None:
            taken = [part.take(self._rows(part, number, names)) for number, part in enumerate(parts)]
            parts = [part.with_paths(taken[0].paths) for part in taken]
        embeddings = concatenate(parts, self.halves)
        tell_mixed(", ".join(map(str, self.paths)), embeddings.precision)
        if self.save is not None:
            save_embeddings(self.save, embeddings)
        return embeddings

    def _rows(self, part: "Embeddings", number: int, names: Sequence[str]) -> "np.ndarray":
        """`find_rows`, whose error says of which of several files or folders."""
        from facepipe.protocols.rows import find_rows

        try:
            return find_rows(part, names)
        except DatasetError as error:
            raise DatasetError(f"{self.paths[number]}: {error}") from error


def source_options(command: F) -> F:
    """Options of how images become embeddings; the command gets them, with its ``paths``, as ``source``."""
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
            options.detection,
        ],
    )


def crop_options(command: F) -> F:
    """`source_options` for a dataset that holds nothing but aligned crops."""
    return _with_options(command, [options.models, options.flip, _save, options.figure_precision, options.device])


_save = click.option("--save", type=options.output_path, help="Keep the embeddings in this Parquet file.")
_NO_DETECTION: dict[str, Any] = {"rule": "centre", "already_aligned": False, "detection": None}


def _with_options(command: F, wanted: list[Callable[[Any], Any]]) -> F:
    @wraps(command)
    def wrapped(**words: Any) -> Any:
        given = {name: words.pop(name) for name in [field.name for field in fields(Source)] if name in words}
        return command(source=Source(**(_NO_DETECTION | given)), **words)

    decorated: Any = wrapped
    for option in reversed(wanted):
        decorated = option(decorated)
    return decorated
