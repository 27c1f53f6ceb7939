"""Reading, detecting, aligning and embedding combined: paths in, batches of crops or embeddings out.

Everything streams: batches are bounded in images and pixels, and few images are decoded ahead; memory does not grow.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.alignment import Aligner
from facepipe.detection import Detector, Faces, choose, detector_settings_of
from facepipe.embedding import Embedder, Embeddings
from facepipe.embedding.finding import ALIGNED, Finding
from facepipe.errors import FacepipeError
from facepipe.files import UNMARKED, Mark
from facepipe.images import MAX_PIXELS, Picture, read_image

MISSES = ("drop", "centre")
UNIT, STEP = 256, 64
"""Images per unit of work, and per step within it. No batch spans two steps, so a step gives the same results
wherever and whenever it is run; workers receive one step at a time."""

_BATCH_PIXELS = 24_000_000
_AHEAD, _READERS = 8, 2

Read = Callable[[Path, int], np.ndarray | Picture]
"""A path and the most pixels allowed → uint8 H×W×3 RGB, or a `Picture` with remarks; raises FacepipeError."""
See = Callable[["ReadImage"], None]
"""Called with every image after reading, in order."""


@dataclass(frozen=True)
class ReadImage:
    """An image that was read; if reading failed, ``pixels`` is None and ``reason`` says why in one line.

    ``remarks`` are those of `facepipe.images.Picture`, and so is ``mark``, where the reader gives it.
    """

    path: Path
    pixels: np.ndarray | None
    reason: str = ""
    remarks: tuple[str, ...] = ()
    mark: Mark = UNMARKED


@dataclass(frozen=True)
class CroppedImage:
    """The result for one image.

    Attributes:
        path: of the image.
        size: (height, width) in pixels; (0, 0) when it could not be read.
        faces: all faces found in it.
        chosen: int64 K, indices into ``faces`` of those that were cropped.
        crops: their crops, uint8 h×w×3, or what `Aligner.cut` returns for them; also one crop of the centre where
            ``status`` is ``centre``.
        status: ``ok``, ``aligned`` (taken as an aligned crop), ``centre`` (no face; centre of the image instead),
            ``no_face`` or ``error``.
        reason: why there is no crop, in one line.
        remarks: notes on the image, see `facepipe.images.Picture`.
    """

    path: Path
    size: tuple[int, int]
    faces: Faces
    chosen: np.ndarray
    crops: tuple[Any, ...]
    status: str
    reason: str = ""
    remarks: tuple[str, ...] = ()


def read_batches(
    paths: Iterable[Path],
    max_images: int | None = None,
    max_pixels: int = MAX_PIXELS,
    read: Read | None = None,
    before: int = 0,
) -> Iterator[list[ReadImage]]:
    """Read images ahead, in order, in batches; a batch ends after every ``max_images`` (`STEP`) images.

    Args:
        paths: of images; consumed lazily.
        max_images: per batch.
        max_pixels: per image, see `read_image`.
        read: opens one image instead of `read_image`, for images that are not separate files.
        before: how many images of the first step are already done.
    """
    batch: list[ReadImage] = []
    pixels, most = 0, max_images or STEP
    for number, image in enumerate(_read_ahead(paths, max_pixels, read), before + 1):
        batch.append(image)
        pixels += _pixels(image)
        if pixels >= _BATCH_PIXELS or number % most == 0:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _read_ahead(paths: Iterable[Path], max_pixels: int, read: Read | None) -> Iterator[ReadImage]:
    remaining = iter(paths)
    waiting: deque[Future[ReadImage]] = deque()
    with ThreadPoolExecutor(_READERS, thread_name_prefix="facepipe-read") as pool:
        try:
            ahead = _READERS
            while True:
                more = islice(remaining, max(0, ahead - len(waiting)))
                waiting.extend(pool.submit(_read, path, max_pixels, read) for path in more)
                if not waiting:
                    return
                image = waiting.popleft().result()
                ahead = max(1, min(_AHEAD, _BATCH_PIXELS // max(1, _pixels(image))))
                yield image
        finally:
            for future in waiting:
                future.cancel()


def _pixels(image: ReadImage) -> int:
    return 0 if image.pixels is None else image.pixels.shape[0] * image.pixels.shape[1]


def _read(path: Path, max_pixels: int, read: Read | None) -> ReadImage:
    try:
        picture = (read or read_image)(path, max_pixels)
        if isinstance(picture, Picture):
            return ReadImage(path, picture.pixels, remarks=picture.remarks, mark=picture.mark)
        return ReadImage(path, picture)
    except FacepipeError as error:
        mark = getattr(error, "mark", None)
        return ReadImage(path, None, str(error).removeprefix(f"{path}: "), mark=mark or UNMARKED)


class Cropper:
    """Turns read images into aligned crops.

    Args:
        aligner: defines the crop's template.
        detector: None treats every image as an aligned crop.
        rule: which face of several, see `facepipe.detection.choose`.
        on_miss: ``drop`` images without a face, or crop their ``centre``.
        aligned: how faces of aligned crops were found, without a detector; see
            `facepipe.datasets.samples.cut.found_by`.
    """

    def __init__(
        self,
        aligner: Aligner,
        detector: Detector | None,
        rule: str = "centre",
        on_miss: str = "drop",
        aligned: tuple[Finding, ...] = (),
    ) -> None:
        self.aligner, self.detector, self.rule, self.on_miss = aligner, detector, rule, on_miss
        self.aligned = aligned or (ALIGNED,)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """How faces are found, as recorded in embeddings; several if crops were found in several ways."""
        if self.detector is None:
            return self.aligned
        return (detector_settings_of(self.detector) | {"faces": self.rule},)

    def on_host(self) -> "Cropper":
        """A copy whose crops are arrays, wherever this one has them cut."""
        other = copy(self)
        other.aligner = Aligner(self.aligner.template)
        return other

    def __call__(self, batch: list[ReadImage]) -> list[CroppedImage]:
        """One `CroppedImage` per image, in order."""
        pixels = [image.pixels for image in batch if image.pixels is not None]
        found = iter(self.detector(pixels) if self.detector is not None else [Faces.none()] * len(pixels))
        cropped = [self._crop(image, next(found) if image.pixels is not None else Faces.none()) for image in batch]
        return [
            replace(crop, remarks=(*image.remarks, *self._misfit(crop)))
            for crop, image in zip(cropped, batch, strict=True)
        ]

    def _misfit(self, crop: CroppedImage) -> tuple[str, ...]:
        """A remark on a whole photo that was treated as an aligned crop, whose result means little."""
        (height, width), (high, wide) = crop.size, self.aligner.size
        if crop.status != "aligned" or (height == high and width >= wide):
            return ()
        return (f"treated as an aligned crop and scaled ({height}×{width} pixels; a crop has {high}×{wide})",)

    def _crop(self, image: ReadImage, faces: Faces) -> CroppedImage:
        nobody = np.zeros(0, np.int64)
        if image.pixels is None:
            return CroppedImage(image.path, (0, 0), faces, nobody, (), "error", image.reason)
        size = image.pixels.shape[0], image.pixels.shape[1]
        if self.detector is None:
            return CroppedImage(image.path, size, faces, nobody, (self.aligner.accept(image.pixels),), "aligned")
        chosen = choose(faces, self.rule, size)
        try:
            crops = tuple(self.aligner.cut(image.pixels, faces.landmarks[index]) for index in chosen)
        except FacepipeError as error:
            return CroppedImage(image.path, size, faces, nobody, (), "error", str(error))
        if len(chosen):
            return CroppedImage(image.path, size, faces, chosen, crops, "ok")
        if self.on_miss == "centre":
            return CroppedImage(image.path, size, faces, chosen, (self.aligner.centre(image.pixels),), "centre")
        return CroppedImage(image.path, size, faces, chosen, (), "no_face", "no face found")


def embed_images(
    paths: Iterable[Path],
    cropper: Cropper,
    embedder: Embedder,
    name: Callable[[Path], str] = str,
    progress: Callable[[int], None] = lambda _: None,
    read: Read | None = None,
) -> Iterator[Embeddings]:
    """Embed images batch by batch; images without a crop are listed in ``failed`` with the reason.

    Args:
        paths: of images.
        cropper: must use the template of the embedder's model.
        embedder: see `Embedder`.
        name: image → its path in the embeddings; its second face gets ``#1`` appended, and so on.
        progress: called with the number of images finished in each batch.
        read: see `read_batches`.
    """
    for batch in read_batches(paths, read=read):
        yield embed_batch(batch, cropper, embedder, name)
        progress(len(batch))


def embed_batch(
    batch: list[ReadImage], cropper: Cropper, embedder: Embedder, name: Callable[[Path], str] = str
) -> Embeddings:
    """`embed_images` for one batch."""
    results = cropper(batch)
    crops = cropper.aligner.stack([crop for result in results for crop in result.crops])
    return _embedded(results, crops, cropper.findings, embedder, name)


def embed_results(results: list[CroppedImage], findings: tuple[Finding, ...], embedder: Embedder) -> Embeddings:
    """Embed the crops of a batch; ``findings`` are the cropper's."""
    crops = [crop for result in results for crop in result.crops]
    stacked = np.stack(crops) if crops else np.zeros((0, *embedder.size, 3), np.uint8)
    return _embedded(results, stacked, findings, embedder, str)


def _embedded(
    results: list[CroppedImage],
    crops: Any,
    findings: tuple[Finding, ...],
    embedder: Embedder,
    name: Callable[[Path], str],
) -> Embeddings:
    return replace(
        embedder(crops),
        paths=tuple(
            name(result.path) + (f"#{number}" if number else "")
            for result in results
            for number in range(len(result.crops))
        ),
        detected=np.array([result.status != "centre" for result in results for _ in result.crops], bool),
        failed=tuple((name(result.path), result.reason) for result in results if not result.crops),
        detection_score=np.concatenate([_scores(result) for result in results], dtype=np.float32),
        findings=findings,
    )


def _scores(result: CroppedImage) -> np.ndarray:
    """Detection score of each crop."""
    return result.faces.scores[result.chosen] if len(result.chosen) else np.full(len(result.crops), np.nan)
