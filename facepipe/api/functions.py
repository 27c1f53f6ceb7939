"""The front door: detect, align, embed, compare and identify, each one call.

They share one `Pipeline` with usual settings; make a `Pipeline` of your own to choose a model, a device or a detector.
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
def _usual() -> Pipeline:
    return Pipeline()


@cache
def _all_faces() -> Pipeline:
    """Shares detector and model with the usual one."""
    every = Pipeline(faces="all")
    every.__dict__.update(detector=_usual().detector, embedder=_usual().embedder)
    return every


def detect(photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
    """All faces of a photo, best score first.

    >>> import facepipe
    >>> from skimage.data import astronaut
    >>> [face] = facepipe.detect(astronaut())
    >>> face.box.round().tolist()
    [178.0, 58.0, 268.0, 175.0]

    Args:
        photo: a path, bytes, a file object, a Pillow image, or a uint8 H×W×3 RGB array.
        bgr: an array has blue first, as OpenCV reads it.

    Raises:
        ImageError: the photo cannot be read.
    """
    return _usual().detect(photo, bgr)


def align(photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
    """All faces of a photo with crops as the model that ships wants them, uint8 112×112×3; arguments as of `detect`.

    >>> import facepipe
    >>> from skimage.data import astronaut
    >>> [face.crop.shape for face in facepipe.align(astronaut())]
    [(112, 112, 3)]
    """
    return _all_faces().align(photo, bgr)


def embed(photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
    """All faces of a photo with embeddings of the model that ships; arguments as of `detect`.

    >>> import facepipe
    >>> from skimage.data import astronaut
    >>> [face] = facepipe.embed(astronaut())
    >>> face.embedding.shape, face.kappa > 0
    ((128,), True)
    """
    return _all_faces().embed(photo, bgr)


def compare(a: Photo, b: Photo, decide: Decide | None = None, bgr: bool = False) -> Comparison:
    """Whether two photos show one person, by the largest face of each.

    >>> import facepipe
    >>> from skimage.data import astronaut
    >>> answer = facepipe.compare(astronaut(), astronaut()[:, ::-1])
    >>> answer.same, answer.far
    (True, 0.001)

    Args:
        a, b: photos, as of `detect`.
        decide: score and false-accept rate of the decision; None is cosine at 1 in 1,000.
        bgr: arrays have blue first.

    Raises:
        ImageError: a photo cannot be read.
        NoFaceError: a photo shows no face.
    """
    return _usual().compare(a, b, decide, bgr)


def identify(
    photo: Photo, gallery: str | Path | Gallery, fpir: float = 0.01, bgr: bool = False
) -> tuple[IdentifiedFace, ...]:
    """Every face of a photo, from left to right, with its name in a gallery, or ``unknown``.

    Args:
        photo: as of `detect`.
        gallery: a file that ``facepipe gallery build`` made, or a `facepipe.identification.Gallery`.
        fpir: share of the searches of strangers that may give a name.
        bgr: an array has blue first.

    Raises:
        ImageError: the photo cannot be read.
        EmbeddingsError: the gallery cannot be read, is empty, or was made by another model.
    """
    return _usual().identify(photo, gallery, fpir, bgr)
