"""Identifying people in photos."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from facepipe.alignment import Aligner
from facepipe.detection import Detector
from facepipe.embedding import Embedder, Embeddings
from facepipe.identification.confidence import confidence
from facepipe.identification.identifier import Identifier
from facepipe.identification.scene import Scene, Seen
from facepipe.pipeline import CroppedImage, Cropper, Read, ReadImage, read_batches


def identify_photos(
    paths: Iterable[Path],
    detector: Detector,
    embedder: Embedder,
    identifier: Identifier,
    progress: Callable[[int], None] = lambda _: None,
    read: Read | None = None,
) -> Iterator[tuple[ReadImage, Scene]]:
    """Detect and identify every face, in batches of photos.

    Args:
        paths: of photos; consumed lazily.
        detector: see `facepipe.detection.Detector`.
        embedder: of the gallery's model.
        identifier: searches the gallery.
        progress: called with the number of photos finished in each batch.
        read: see `read_batches`.

    Yields:
        Each photo with its scene, the faces from left to right; an unreadable photo has a ``reason`` and no
        pixels.
    """
    cropper = Cropper(Aligner(embedder.model.card.input.template), detector, "all")
    for batch in read_batches(paths, read=read):
        results = cropper(batch)
        named = iter(_named(results, embedder, identifier))
        for image, result in zip(batch, results, strict=True):
            faces = tuple(sorted((next(named) for _ in result.crops), key=lambda seen: float(seen.box[0])))
            failed = result.reason if result.status == "error" else ""
            yield image, Scene(str(result.path), 0, 0.0, faces, reason=failed)
        progress(len(batch))


def _named(results: list[CroppedImage], embedder: Embedder, identifier: Identifier) -> Iterator[Seen]:
    crops = [crop for result in results for crop in result.crops]
    if not crops:
        return
    embeddings = embed_faces(crops, results, embedder)
    confidences = confidence(embeddings)
    faces = ((result.faces, index) for result in results for index in result.chosen)
    for number, ((found, index), identity) in enumerate(zip(faces, identifier(embeddings), strict=True)):
        score = float(found.scores[index])
        box, points = found.boxes[index], found.landmarks[index]
        yield Seen(box, points, score, identity, float(confidences[number]), search=found.search)


def embed_faces(crops: list[np.ndarray], results: list[CroppedImage], embedder: Embedder) -> Embeddings:
    """Embeddings of the crops of several images, in order, with detection scores."""
    scores = [result.faces.scores[result.chosen] for result in results]
    return replace(embedder(np.stack(crops)), detection_score=np.concatenate(scores).astype(np.float32))
