"""The top-level functions: detect, align, embed, compare and identify.

They share one `Pipeline` with default settings; create a `Pipeline` to choose a model, a device or a detector.
"""

from functools import cache
from pathlib import Path

from facepipe.api.comparison import Comparison, Decide
from facepipe.api.face import Face
from facepipe.api.identified import IdentifiedFace
from facepipe.api.pipeline import Pipeline
from facepipe.identification import Gallery
from facepipe.images import Photo


@cache
def _default() -> Pipeline:
    return Pipeline()


@cache
def _all_faces() -> Pipeline:
    """Shares detector and model with the default pipeline."""
    pipeline = Pipeline(faces="all")
    pipeline.__dict__.update(detector=_default().detector, embedder=_default().embedder)
    return pipeline


def detect(photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
    """All faces of a photo, best score first.

    >>> import facepipe
    >>> from skimage.data import astronaut
    >>> [face] = facepipe.detect(astronaut())
    >>> face.box.round().tolist()
    [178.0, 58.0, 268.0, 175.0]

    Args:
        photo: a path, bytes, a file object, a Pillow image, or a uint8 H×W×3 RGB array.
        bgr: arrays are in BGR order, as OpenCV reads images.

    Raises:
        ImageError: the photo cannot be read.
    """
    return _default().detect(photo, bgr)


def align(photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
    """All faces of a photo with crops for the shipped model, uint8 112×112×3; arguments as for `detect`.

    >>> import facepipe
    >>> from skimage.data import astronaut
    >>> [face.crop.shape for face in facepipe.align(astronaut())]
    [(112, 112, 3)]
    """
    return _all_faces().align(photo, bgr)


def embed(photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
    """All faces of a photo with embeddings of the shipped model; arguments as for `detect`.

    >>> import facepipe
    >>> from skimage.data import astronaut
    >>> [face] = facepipe.embed(astronaut())
    >>> face.embedding.shape, face.kappa > 0
    ((128,), True)
    """
    return _all_faces().embed(photo, bgr)


def compare(a: Photo, b: Photo, decide: Decide | None = None, bgr: bool = False) -> Comparison:
    """Whether two photos show the same person, by the largest face of each.

    >>> import facepipe
    >>> from skimage.data import astronaut
    >>> answer = facepipe.compare(astronaut(), astronaut()[:, ::-1])
    >>> answer.same, answer.far
    (True, 0.001)

    Args:
        a, b: photos, as for `detect`.
        decide: score and false-accept rate of the decision; None means cosine at 1 in 1,000.
        bgr: arrays are in BGR order.

    Raises:
        ImageError: a photo cannot be read.
        NoFaceError: a photo shows no face.
    """
    return _default().compare(a, b, decide, bgr)


def identify(
    photo: Photo, gallery: str | Path | Gallery, fpir: float = 0.01, bgr: bool = False
) -> tuple[IdentifiedFace, ...]:
    """Every face of a photo, from left to right, with its name in a gallery, or ``unknown``.

    Args:
        photo: as for `detect`.
        gallery: a file made by ``facepipe gallery build``, or a `facepipe.identification.Gallery`.
        fpir: false-positive identification rate: share of searches by strangers that may return a name.
        bgr: arrays are in BGR order.

    Raises:
        ImageError: the photo cannot be read.
        EmbeddingsError: the gallery cannot be read, is empty, or was made by another model.
    """
    return _default().identify(photo, gallery, fpir, bgr)
