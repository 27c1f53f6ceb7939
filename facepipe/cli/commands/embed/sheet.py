"""The contact sheet of ``facepipe embed``: choosing, cropping and drawing its faces."""

from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.errors import EmbeddingsError

if TYPE_CHECKING:
    import numpy as np

    from facepipe.embedding import Embeddings
    from facepipe.pipeline import Cropper

FACES = 96
"""Most faces on a sheet, evenly spaced by rank."""


class Sheet:
    """Collects a confidence value per face while images are embedded, then draws.

    Args:
        path: output picture.
        sort: ``kappa``, ``sigma2``, ``detection_score`` or ``norm``; None means kappa or sigma2, as the model has.
        cropper: the cropper used for embedding.
    """

    def __init__(self, path: Path, sort: str | None, cropper: "Cropper") -> None:
        self.path, self.sort, self.cropper = path, sort, cropper
        self._names: list[str] = []
        self._values: list[np.ndarray] = []

    def add(self, batch: "Embeddings") -> None:
        """Add the faces of a batch.

        Raises:
            EmbeddingsError: the embeddings have no such confidence.
        """
        from facepipe.protocols.risk.uncertainty import uncertainty

        if self.sort is None:
            self.sort = "kappa" if batch.kappa is not None else "sigma2"
        if len(batch):
            self._values.append(uncertainty(self.sort, batch))
            self._names.extend(batch.paths)

    def draw(self) -> int:
        """Write the picture, least confident first; returns its number of faces.

        Raises:
            EmbeddingsError: an image can no longer be cropped.
        """
        import numpy as np

        from facepipe.images import write_rgb
        from facepipe.report.face_sheet import contact_sheet, evenly_by_rank

        values = np.concatenate(self._values)
        chosen = evenly_by_rank(-values, FACES)
        crops = [self._crop(self._names[row]) for row in chosen]
        write_rgb(self.path, contact_sheet(crops, np.abs(values[chosen]).tolist(), str(self.sort)))
        return len(chosen)

    def _crop(self, name: str) -> "np.ndarray":
        """The face ``name``: a path, with # and a number for all but the first face of an image."""
        from facepipe.images import file_and_page
        from facepipe.pipeline import read_batches

        path, number = Path(name), 0
        if not file_and_page(path)[0].is_file():
            start, _, end = name.rpartition("#")
            path, number = Path(start), int(end)
        image = self.cropper(next(read_batches([path])))[0]
        if number >= len(image.crops):
            raise EmbeddingsError(f"{path}: changed during embedding ({image.reason or 'fewer faces'}); try again")
        return image.crops[number]
