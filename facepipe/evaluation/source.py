"""Where an evaluation gets its embeddings: raw images, aligned crops or existing embeddings."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe.errors import DatasetError
from facepipe.parameters import parameter
from facepipe.tables import counted

if TYPE_CHECKING:
    import numpy as np

    from facepipe.detection import Detector, DetectorSettings
    from facepipe.embedding import Embedder, Embeddings
    from facepipe.pipeline import Cropper, Read
    from facepipe.workers import OnRay

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""What is processed and its number of images → within the context, a function to call with the number done."""


@contextmanager
def _silent(what: str, total: int) -> Iterator[Callable[[int], None]]:  # noqa: ARG001
    yield lambda _: None


def _unheard(text: str) -> None:
    pass


@dataclass(frozen=True)
class Source:
    """Images or embeddings, and how images become embeddings.

    Several models, or several paths, form an ensemble.

    Attributes:
        paths: folders of images, or files of embeddings.
        models: names, card files or run folders, see `facepipe.zoo.load`; empty means the shipped model.
        flip: how image and mirror image are combined; None: as the card says.
        faces: which face to use if there are several, see `facepipe.detection.choose`.
        already_aligned: whether the images are aligned crops.
        save: Parquet file to save the embeddings to.
        engine: what runs the networks: ``torch``, ``onnx``, or ``auto``, which is PyTorch if installed.
        warp: where crops are cut, ``host`` or ``device``, see `facepipe.embedding.aligning.aligner_of`.
        precision, device: of the network, see `facepipe.embedding.Embedder` and `facepipe.devices`.
        detection: the detector; None means the default one.
        progress, note: callbacks for progress and for messages to the user.
        wrap: wraps the default cropper, for example to damage images.
        rename: renames the paths of such a cropper's embeddings.
        regions: a folder → a reader of image regions in it by name, where names are not files.
        on: workers that embed the images; None means this process.
        on_miss: what a protocol does about missing images, if it can do without them: with ``skip``, images that are
            missing or unreadable are listed in ``failed`` of the embeddings, with the reason.
        halves: how the halves of an ensemble's members are treated, see `facepipe.ensemble.concatenate`.
    """

    paths: tuple[Path, ...]
    models: tuple[str, ...] = ()
    flip: str | None = None
    faces: str = "centre"
    already_aligned: bool = False
    save: Path | None = None
    precision: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    warp: str = "host"
    detection: "DetectorSettings | None" = None
    progress: Progress = field(default=_silent, repr=False)
    note: Callable[[str], None] = field(default=_unheard, repr=False)
    wrap: "Callable[[Cropper], Cropper] | None" = None
    rename: "Callable[[Embeddings], Embeddings] | None" = None
    regions: "Callable[[Path], Read] | None" = None
    on_miss: str = ""
    halves: str = "keep"
    on: "OnRay | None" = None

    def sent(self) -> "Source":
        """A copy without what belongs to this process, to send to workers."""
        return replace(self, progress=_silent, note=_unheard, rename=None, on=None)

    def detector(self) -> "Detector":
        """The detector."""
        from facepipe.detection import create_detector

        return create_detector(self.detection, self.device, self.chosen_engine())

    def chosen_engine(self) -> str:
        """``torch`` or ``onnx``."""
        from facepipe.zoo import DEFAULT, engine_for

        models = self.models or [DEFAULT]
        return engine_for(models, self.engine, device=self.device, precision=self.precision, warp=self.warp)

    @property
    def has_embeddings(self) -> bool:
        """Whether the paths are files of embeddings."""
        return bool(self.paths) and all(path.is_file() for path in self.paths)

    def below(self, inner: Callable[[Path], Path]) -> "Source":
        """A copy with each folder replaced by ``inner`` of it."""
        return replace(self, paths=tuple(path if path.is_file() else inner(path) for path in self.paths))

    def embeddings(self, names: Sequence[str], what: str, read: "Read | None" = None) -> "Embeddings":
        """Embeddings that include the images ``names``.

        Args:
            names: paths of images without extension, relative to the source's folder.
            what: the dataset, for the progress bar.
            read: opens an image that is not a separate file; called with its name as path.

        Raises:
            DatasetError: a path or an image in it is missing, or the options contradict each other.
        """
        self._before()
        made = self.has_embeddings or (read is not None and bool(self.paths))
        parts = self._load() if made else self._embed(names, what, read)
        return self._together(parts, names)

    def listed(self, files: Callable[[Path], Sequence[Path]], what: str) -> "Embeddings":
        """Embeddings of the images that ``files`` finds in a folder, for datasets whose lists name no images."""
        self._before()
        if self.has_embeddings:
            return self._together(self._load(), None)
        return self._together([self._run(path, files(path), models, what) for path, models in self._runs()], None)

    def _before(self) -> None:
        """Fail before hours of work, not after them, if the embeddings cannot be saved."""
        from facepipe.files import require_writable

        if self.save is not None:
            require_writable(self.save)

    def _load(self) -> list["Embeddings"]:
        from facepipe.embedding import load_embeddings
        from facepipe.embedding.identity import lacks_geometry

        if self.models or self.flip or self.already_aligned or self.on is not None:
            raise DatasetError(
                f"{self.paths[0]}: already embedded; model, flip rule, aligned crops and workers do not apply"
            )
        loaded = [load_embeddings(path) for path in self.paths]
        for path, embeddings in zip(self.paths, loaded, strict=True):
            if lacks_geometry(embeddings.model):
                self.note(f"{path}: made before crop geometry was recorded; its 112×112 crops use the old geometry")
        return loaded

    def _embed(self, names: Sequence[str], what: str, read: "Read | None") -> list["Embeddings"]:
        if read is not None:
            return [self._run(Path(), [Path(name) for name in names], list(self.models), what, read)]
        if self.regions is not None:
            parts = [Path(name) for name in names]
            return [self._run(path, parts, models, what, self.regions(path)) for path, models in self._runs()]
        return [self._named(path, names, models, what) for path, models in self._runs()]

    def _named(self, folder: Path, names: Sequence[str], models: list[str], what: str) -> "Embeddings":
        from facepipe.datasets.samples.find_image import find_images

        files, missing = find_images(folder, names)
        if missing and self.on_miss != "skip":
            instead = f"; {parameter('on_miss', 'skip')} leaves their pairs out" if self.on_miss else ""
            message = f"{len(missing)} of the {counted(len(names), 'listed image')} not found"
            raise DatasetError(f"{folder / missing[0]}.*: no such image ({message}){instead}")
        embeddings = self._run(folder, files, models, what)
        return replace(embeddings, failed=(*embeddings.failed, *((name, "no such image") for name in missing)))

    def _runs(self) -> list[tuple[Path, list[str]]]:
        """Folders with the models for each: all models for a single folder, otherwise one each."""
        for path in self.paths:
            if not path.is_dir():
                raise DatasetError(f"{path}: no such folder or embeddings file; give the dataset's image folder")
        if len(self.paths) == 1:
            return [(self.paths[0], list(self.models))]
        models = list(self.models) * (len(self.paths) if len(self.models) == 1 else 1)
        if models and len(models) != len(self.paths):
            raise DatasetError(
                f"{counted(len(self.paths), 'folder')} and {counted(len(models), 'model')}: give one model for all "
                "folders, or one for each"
            )
        return [(path, models[number : number + 1]) for number, path in enumerate(self.paths)]

    def _run(
        self, folder: Path, files: Sequence[Path], models: list[str], what: str, read: "Read | None" = None
    ) -> "Embeddings":
        from facepipe.datasets.samples.cut import found_by
        from facepipe.embedding import join
        from facepipe.ensemble import embed_ensemble, embed_ensemble_on

        if not files:
            raise DatasetError(f"{folder}: contains no images of {what}; check the path")
        aligned: tuple[dict[str, Any], ...] = ()
        if self.already_aligned and read is None:
            self._check_crops(folder, models)
            aligned = found_by([folder])
        if self.on is None:
            members = self._members(models, aligned)
            with self.progress(what, len(files)) as advance:
                embeddings = join(list(embed_ensemble(files, members, advance, read, self.halves)))
        else:
            # Without what belongs to this process, since it is sent to workers.
            alone = self.sent()
            load = partial(alone._members, models, aligned)
            with self.progress(what, len(files)) as advance:
                parts = embed_ensemble_on(self.on, files, load, self.device, advance, read, self.halves)
                embeddings = join(list(parts))
        return embeddings if self.rename is None else self.rename(embeddings)

    def _check_crops(self, folder: Path, models: list[str]) -> None:
        from facepipe.alignment import template
        from facepipe.datasets.samples.cut import check_cut
        from facepipe.zoo import DEFAULT, locate

        for model in models or [DEFAULT]:
            message = check_cut(folder, template(locate(model)[0].input.template).identity)
            if message:
                self.note(message)

    def _members(self, models: list[str], aligned: tuple[dict[str, Any], ...]) -> list[tuple["Cropper", "Embedder"]]:
        from facepipe.ensemble import SameFaces

        detector: Detector | None = None
        if not self.already_aligned:
            detector = SameFaces(self.detector())
        named: list[str | None] = [*models] or [None]
        return [self._member(model, detector, aligned) for model in named]

    def _member(
        self, model: str | None, detector: "Detector | None", aligned: tuple[dict[str, Any], ...]
    ) -> tuple["Cropper", "Embedder"]:
        from facepipe.embedding import Embedder
        from facepipe.embedding.aligning import aligner_of
        from facepipe.pipeline import Cropper
        from facepipe.zoo import DEFAULT, load

        loaded = load(model or DEFAULT, self.device, self.chosen_engine(), self.flip)
        embedder = Embedder(loaded, flip=self.flip, precision=self.precision)
        cropper = Cropper(aligner_of(embedder, self.warp, detector), detector, self.faces, "centre", aligned)
        return cropper if self.wrap is None else self.wrap(cropper), embedder

    def _together(self, parts: list["Embeddings"], names: Sequence[str] | None) -> "Embeddings":
        """Join parts, in the order of ``names`` if they come from different folders or files."""
        from facepipe.embedding import save_embeddings
        from facepipe.embedding.provenance import mixing_remark
        from facepipe.ensemble import concatenate

        if len(parts) > 1 and names is not None:
            names = self._in_all(parts, names)
            taken = [part.take(self._rows(part, number, names)) for number, part in enumerate(parts)]
            parts = [part.with_paths(taken[0].paths) for part in taken]
        embeddings = concatenate(parts, self.halves)
        remark = mixing_remark(embeddings.provenance)
        if remark:
            self.note(f"{', '.join(map(str, self.paths))}: {remark}")
        if self.save is not None:
            save_embeddings(self.save, embeddings)
        return embeddings

    def _in_all(self, parts: list["Embeddings"], names: Sequence[str]) -> Sequence[str]:
        """The names that all parts have, if the protocol can do without the others."""
        from facepipe.protocols.rows import find_rows

        if self.on_miss != "skip":
            return names
        present = [find_rows(part, names, leave=True) >= 0 for part in parts]
        return [name for name, *found in zip(names, *present, strict=True) if all(found)]

    def _rows(self, part: "Embeddings", number: int, names: Sequence[str]) -> "np.ndarray":
        """`find_rows`, with the file or folder in its error."""
        from facepipe.protocols.rows import find_rows

        try:
            return find_rows(part, names)
        except DatasetError as error:
            raise DatasetError(f"{self.paths[number]}: {error}") from error


def source_of(images: "Source | Path | str | Sequence[Path | str]") -> Source:
    """The source itself, or a source of these paths with default settings."""
    if isinstance(images, Source):
        return images
    listed = [images] if isinstance(images, Path | str) else images
    return Source(tuple(Path(path) for path in listed))
