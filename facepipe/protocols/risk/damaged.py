"""Adding pairs with damaged copies of images, and the crops for them."""

from dataclasses import replace

import numpy as np

from facepipe.datasets.damage import apply, damage_of
from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.detection import Detector, Faces
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.images import EXTENSIONS
from facepipe.parameters import parameter
from facepipe.pipeline import CroppedImage, Cropper, ReadImage

_MARGIN = 0.5
"""Black margin on each side of a crop for scoring, as a share of the crop's size."""


def mix_damaged(pairs: Pairs, protocol: str = "standard") -> Pairs:
    """Every pair twice: unchanged, and with a damaged copy of its left or right image.

    Which of the two is damaged follows from the names of both images, and both are equally likely. Never both: badly
    damaged images of different people look alike, so such impostor pairs alone would set the threshold. The copy of
    ``NAME`` is named ``NAME#standard``. Folds stay together, in order, the clean pairs first.

    Raises:
        DatasetError: the protocol is unknown.
    """
    seeds = np.array([damage_of(name, protocol=protocol).seed for name in pairs.names], np.uint64)
    on_left = (seeds[pairs.left] ^ seeds[pairs.right]) % np.uint64(2) == 0
    images = len(pairs.names)
    left, right = pairs.left + images * on_left, pairs.right + images * ~on_left
    both = Pairs(
        (*pairs.names, *(f"{name}#{protocol}" for name in pairs.names)),
        np.concatenate([pairs.left, left]),
        np.concatenate([pairs.right, right]),
        np.concatenate([pairs.same, pairs.same]),
        np.concatenate([pairs.fold, pairs.fold]),
    )
    return _only_used(both, np.argsort(both.fold, kind="stable"))


def _only_used(pairs: Pairs, order: np.ndarray) -> Pairs:
    """The pairs in this order, without unused names."""
    used, numbers = np.unique(np.concatenate([pairs.left[order], pairs.right[order]]), return_inverse=True)
    left, right = np.split(numbers.ravel(), 2)
    names = tuple(pairs.names[index] for index in used)
    return Pairs(names, left, right, pairs.same[order], pairs.fold[order])


class DamagedCropper(Cropper):
    """A cropper that returns two crops per image: that of ``cropper`` and its damaged copy.

    The damage depends on the image's file name and folder, ``Ann_Lee/Ann_Lee_0001``, and so not on where the dataset
    is stored.

    Args:
        cropper: crops the image; the first crop is used.
        protocol: from `facepipe.datasets.damage`.
        scorer: a detector applied to both crops with a black margin, so that clean and damaged ones have
            comparable detection scores, 0 if it finds no face. None: no scores.
    """

    def __init__(self, cropper: Cropper, protocol: str = "standard", scorer: Detector | None = None) -> None:
        super().__init__(cropper.aligner, cropper.detector, cropper.rule, cropper.on_miss, cropper.aligned)
        self.protocol, self.scorer = protocol, scorer

    def __call__(self, batch: list[ReadImage]) -> list[CroppedImage]:
        """One `CroppedImage` per image, in order, with two crops each if there was one."""
        return self._scored([self._with_copy(image) for image in super().__call__(batch)])

    def _with_copy(self, image: CroppedImage) -> CroppedImage:
        if not image.crops:
            return image
        damage = damage_of(_name(image), protocol=self.protocol)
        return replace(
            image,
            crops=(image.crops[0], apply(image.crops[0], damage)),
            faces=Faces.none(),
            chosen=np.zeros(0, np.int64),
        )

    def _scored(self, images: list[CroppedImage]) -> list[CroppedImage]:
        if self.scorer is None:
            return images
        found = iter(self.scorer([_framed(crop) for image in images for crop in image.crops]))
        return [self._with_scores(image, [next(found) for _ in image.crops]) for image in images]

    def _with_scores(self, image: CroppedImage, found: list[Faces]) -> CroppedImage:
        scores = np.array([faces.scores.max(initial=0) for faces in found], np.float32)
        count = len(scores)
        faces = Faces(np.zeros((count, 4), np.float32), scores, np.zeros((count, 5, 2), np.float32))
        return replace(image, faces=faces, chosen=np.arange(count))


def name_copies(embeddings: Embeddings, protocol: str = "standard") -> Embeddings:
    """Embeddings from a `DamagedCropper`, with distinct paths for copies: ``NAME#standard.jpg``."""
    return embeddings.with_paths([_copy_path(path, protocol) for path in embeddings.paths])


def is_copy(path: str, protocol: str = "standard") -> bool:
    """Whether this path was made by `name_copies`."""
    return f"#{protocol}." in path


def original(path: str, protocol: str = "standard") -> str:
    """The path of the original image of a copy."""
    return path.replace(f"#{protocol}.", ".")


def require_copies(embeddings: Embeddings, where: str, protocol: str = "standard") -> None:
    """Raise an error for embeddings without damaged copies.

    Raises:
        DatasetError: there are none; the message says how to make them.
    """
    if not any(is_copy(path, protocol) for path in embeddings.paths):
        raise DatasetError(
            f"{where}: contains no damaged copies; give the folder of images, or a file that the command "
            f"wrote for the folder with {parameter('damage', protocol)} and {parameter('save')}"
        )


def _copy_path(path: str, protocol: str) -> str:
    if not path.endswith("#1"):
        return path
    stem, dot, extension = path.removesuffix("#1").rpartition(".")
    if f".{extension.lower()}" not in EXTENSIONS:
        stem, dot, extension = path.removesuffix("#1"), ".", "jpg"
    return f"{stem}#{protocol}{dot}{extension}"


def _name(image: CroppedImage) -> str:
    return f"{image.path.parent.name}/{image.path.stem}"


def _framed(crop: np.ndarray) -> np.ndarray:
    """The crop with black around it: the detector expects a face with surroundings."""
    rows, columns = round(_MARGIN * crop.shape[0]), round(_MARGIN * crop.shape[1])
    return np.pad(crop, ((rows, rows), (columns, columns), (0, 0)))
