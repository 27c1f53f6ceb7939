"""Crops of images with listed landmarks, as in IJB-B and IJB-C, without detection."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from facepipe.alignment import Aligner
from facepipe.detection import Faces
from facepipe.embedding.finding import Finding
from facepipe.errors import FacepipeError
from facepipe.pipeline import CroppedImage, Cropper, ReadImage


class LandmarkCropper(Cropper):
    """Aligns by given landmarks.

    Args:
        aligner: defines the crop's template.
        faces: name of an image file, without folder and extension → its one face; see `ListedFaces`.
    """

    def __init__(self, aligner: Aligner, faces: Mapping[str, Faces]) -> None:
        super().__init__(aligner, None)
        self._faces = faces

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Faces are listed, not detected."""
        return ({"detector": "listed landmarks"},)

    def __call__(self, batch: list[ReadImage]) -> list[CroppedImage]:
        """One `CroppedImage` per image, in order."""
        return [self._aligned(image) for image in batch]

    def _aligned(self, image: ReadImage) -> CroppedImage:
        first, nobody = np.zeros(1, np.int64), np.zeros(0, np.int64)
        faces = self._faces[image.path.stem]
        if image.pixels is None:
            return CroppedImage(image.path, (0, 0), faces, nobody, (), "error", image.reason)
        size = image.pixels.shape[0], image.pixels.shape[1]
        try:
            crop = self.aligner.cut(image.pixels, faces.landmarks[0])
        except FacepipeError as error:
            return CroppedImage(image.path, size, faces, nobody, (), "error", str(error))
        return CroppedImage(image.path, size, faces, first, (crop,), "ok")


class ListedFaces(Mapping[str, Faces]):
    """The faces of a list as a mapping, created on access, since half a million objects would fill the memory.

    Args:
        names: of the image files, with extension.
        landmarks: float32 N×5×2, used as 0-based pixels, as insightface's ijb_11.py does with IJB's lists.
        scores: float32 N, detection scores.
    """

    def __init__(self, names: tuple[str, ...], landmarks: np.ndarray, scores: np.ndarray) -> None:
        self._row = {Path(name).stem: row for row, name in enumerate(names)}
        self._landmarks, self._scores = landmarks, scores

    def __getitem__(self, name: str) -> Faces:
        row = self._row[name]
        points = self._landmarks[row : row + 1]
        return Faces(np.concatenate([points.min(1), points.max(1)], axis=1), self._scores[row : row + 1], points)

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)
