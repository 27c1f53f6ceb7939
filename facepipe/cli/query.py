"""Reading and embedding a query photo."""

from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.cli.inputs import Inputs
from facepipe.cli.screen import note
from facepipe.errors import NoFaceError
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.embedding import Embedder, Embeddings
    from facepipe.pipeline import Cropper, ReadImage


def read_query(query: Path, inputs: Inputs) -> "ReadImage":
    """Read the photo, before any model is loaded.

    Raises:
        ImageError: it cannot be read.
    """
    from facepipe.images import read_image
    from facepipe.pipeline import ReadImage

    picture = read_image(query, strict=inputs.strict)
    inputs.see(query, picture.remarks)
    return ReadImage(query, picture.pixels, remarks=picture.remarks)


def embed_query(image: "ReadImage", cropper: "Cropper", embedder: "Embedder") -> tuple["Embeddings", int]:
    """The chosen faces of the photo, and the number of faces in it; reports if there are others.

    Raises:
        NoFaceError: there is none; the message says what may help.
    """
    from facepipe.detection import DetectorSettings
    from facepipe.detection.advice import no_face_advice
    from facepipe.pipeline import embed_results

    results = cropper([image])
    query = embed_results(results, cropper.findings, embedder)
    if not len(query):
        settings = getattr(cropper.detector, "settings", None)
        size, crop = results[0].size, embedder.size
        advice = ""
        if isinstance(settings, DetectorSettings):
            advice = no_face_advice(settings, size, crop, results[0].remarks)
        raise NoFaceError(f"{image.path}: {results[0].reason}{advice}")
    count = len(results[0].faces)
    if count > len(query):
        faces = counted(count, "face")
        note(f"{image.path}: {faces}, one of which is searched; choose with --faces, or use --faces all")
    return query, count
