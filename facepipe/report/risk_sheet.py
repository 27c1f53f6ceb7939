"""The picture of ``facepipe eval risk --sheet``: faces from highest to lowest confidence."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facepipe.alignment import Aligner
from facepipe.detection import Detector
from facepipe.errors import DatasetError
from facepipe.images import write_rgb
from facepipe.pipeline import Cropper, read_batches
from facepipe.protocols.risk.damaged import DamagedCropper, is_copy, original
from facepipe.protocols.risk.uncertainty import uncertainty
from facepipe.report.face_sheet import Strip, draw_sheet, evenly_by_rank

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

_FACES = 12


def write_sheet(
    path: Path, embeddings: "Embeddings", confidence: str, detector: Detector | None, rule: str, damage: str | None
) -> None:
    """Crop again the faces at evenly spaced ranks of ``confidence``, and draw them.

    Crops use the 112×112 template, whatever the model's input.

    Args:
        path: output picture.
        embeddings: with paths of image files; those of damaged copies as from `name_copies`.
        confidence: from `facepipe.protocols.risk.uncertainty`.
        detector: None treats the images as aligned crops.
        rule: which face to use if there are several.
        damage: protocol of the damaged copies.

    Raises:
        DatasetError: an image can no longer be read.
    """
    values = uncertainty(confidence, embeddings)
    copies = np.array([damage is not None and is_copy(name, damage) for name in embeddings.paths], bool)
    cropper = Cropper(Aligner("112x112"), detector, rule, "centre")
    strips = []
    for title, among in (("original", ~copies), ("damaged", copies)):
        rows = np.flatnonzero(among)
        chosen = rows[evenly_by_rank(values[rows], _FACES)] if len(rows) else rows
        faces = [_crop(embeddings.paths[row], cropper, damage, bool(copies[row])) for row in chosen]
        captions = [f"{abs(values[row]):.3g}" for row in chosen]
        strips.append(Strip(f"{title}, by {confidence}: most confident on the left", faces, captions))
    write_rgb(path, draw_sheet(strips))


def _crop(path: str, cropper: Cropper, damage: str | None, copy: bool) -> np.ndarray:
    if copy and damage is not None:
        path, cropper = original(path, damage), DamagedCropper(cropper, damage)
    image = cropper(next(read_batches([Path(path)])))[0]
    if not image.crops:
        raise DatasetError(f"{path}: {image.reason}")
    return image.crops[-1]
