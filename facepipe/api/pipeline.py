"""A detector and a model that are kept for many photos."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facepipe.alignment import Aligner
from facepipe.api.comparison import Comparison, Decide, compare_faces, require_score
from facepipe.api.face import Face, PhotoFaces, faces_of
from facepipe.api.identified import IdentifiedFace, identify_faces, open_gallery
from facepipe.detection import Detector, DetectorSettings, create_detector, preset
from facepipe.embedding import Embedder
from facepipe.errors import ImageError, NoFaceError
from facepipe.images import Photo, read_photo
from facepipe.pipeline import CroppedImage, Cropper, ReadImage
from facepipe.zoo import DEFAULT, Model, load

if TYPE_CHECKING:
    from facepipe.identification import Gallery

_TOGETHER = 16


class Pipeline:
    """Detection, alignment and embedding with settings that are chosen once.

    Detector and model are loaded when the first photo asks for them and kept.

    >>> from skimage.data import astronaut
    >>> pipeline = Pipeline()
    >>> [face] = pipeline.embed(astronaut())
    >>> face.crop.shape, face.embedding.shape, face.score > 0.99
    ((112, 112, 3), (128,), True)

    Args:
        model: a name of ``facepipe models list``, a card file, a run folder, or what `facepipe.load` gave.
        device: ``auto``, ``cpu``, ``cuda`` ...
        detection: settings, or the name of a preset; None is that of SphereFace, with photos turned where no face is
            found otherwise.
        faces: which of several: ``largest``, ``centre``, ``best`` or ``all``.
        flip: how image and mirror are joined; None is the card's rule.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        already_aligned: photos are aligned crops: nothing is detected or aligned.
    """

    def __init__(
        self,
        model: str | Path | Model = DEFAULT,
        *,
        device: str = "auto",
        detection: DetectorSettings | str | None = None,
        faces: str = "largest",
        flip: str | None = None,
        precision: str = "auto",
        already_aligned: bool = False,
    ) -> None:
        self._model, self.device = model, device
        if detection is None:
            detection = preset(turns=True)
        self.detection = preset(detection) if isinstance(detection, str) else detection
        self.faces, self.flip, self.precision, self.already_aligned = faces, flip, precision, already_aligned

    @cached_property
    def detector(self) -> Detector:
        """The detector."""
        return create_detector(self.detection, self.device)

    @cached_property
    def embedder(self) -> Embedder:
        """The model, ready to embed crops."""
        model = self._model if isinstance(self._model, Model) else load(self._model, self.device)
        return Embedder(model, flip=self.flip, precision=self.precision)

    @cached_property
    def aligner(self) -> Aligner:
        """Cuts crops as the model wants them."""
        return Aligner(self.embedder.model.card.input.template)

    def detect(self, photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
        """All faces of a photo, best score first; without a crop, so that no model is loaded.

        Args:
            photo: a path, bytes, a file object, a Pillow image, or a uint8 H×W×3 RGB array.
            bgr: an array has blue first.

        Raises:
            ImageError: the photo cannot be read.
        """
        pixels = read_photo(photo, bgr)[1].pixels
        found = self.detector([pixels])[0]
        rows = zip(found.boxes, found.landmarks, found.scores, strict=True)
        return tuple(Face(box, landmarks, float(score)) for box, landmarks, score in rows)

    def align(self, photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
        """The chosen faces with their crops; none where there is no face. Arguments as of `detect`."""
        return faces_of(self._crop_one(photo, bgr))

    def embed(self, photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
        """The chosen faces with crops and embeddings; none where there is no face. Arguments as of `detect`."""
        return self._embedded([self.align(photo, bgr)])[0]

    def embed_many(self, photos: Iterable[Photo], bgr: bool = False) -> Iterator[PhotoFaces]:
        """As `embed`, batch by batch; a photo that cannot be read is told in its place and ends nothing."""
        remaining = iter(photos)
        while batch := list(islice(remaining, _TOGETHER)):
            images, remarks = self._read(batch, bgr)
            results = self._cropper()(images)
            faces = self._embedded([faces_of(result) for result in results])
            for result, own, told in zip(results, faces, remarks, strict=True):
                yield PhotoFaces(str(result.path), own, told, result.reason if result.status == "error" else "")

    def compare(self, a: Photo, b: Photo, decide: Decide | None = None, bgr: bool = False) -> Comparison:
        """Whether two photos show one person, by the chosen face of each.

        Args:
            a, b: photos, as of `detect`.
            decide: score and false-accept rate of the decision; None is cosine at 1 in 1,000.
            bgr: arrays have blue first.

        Raises:
            ImageError: a photo cannot be read.
            NoFaceError: a photo shows no face.
            ModelError: the model has no such score or no threshold for it.
        """
        # Photos first, so that a wrong path is told before a model is loaded.
        images = [self._read_one(photo, bgr) for photo in (a, b)]
        require_score(self.embedder, (decide or Decide()).score)
        results = Cropper(self.aligner, self._detector(), self._one_face(), "drop")(images)
        for result in results:
            _require_face(result)
        return compare_faces(images, results, self.embedder, decide or Decide())

    def identify(
        self, photo: Photo, gallery: "str | Path | Gallery", fpir: float = 0.01, bgr: bool = False
    ) -> tuple[IdentifiedFace, ...]:
        """Every face of a photo with its name in a gallery, or ``unknown``.

        Args:
            photo: as of `detect`.
            gallery: of this pipeline's model: a file of ``facepipe gallery build``, or a `Gallery`.
            fpir: share of the searches of strangers that may give a name.
            bgr: an array has blue first.

        Raises:
            ImageError: the photo cannot be read.
            EmbeddingsError: the gallery cannot be read, is empty, or was made by another model.
        """
        result = self._crop_one(photo, bgr, "all")
        return identify_faces(faces_of(result), open_gallery(gallery), self.embedder, fpir)

    def _detector(self) -> Detector | None:
        return None if self.already_aligned else self.detector

    def _cropper(self, rule: str | None = None) -> Cropper:
        return Cropper(self.aligner, self._detector(), rule or self.faces, "drop")

    def _one_face(self) -> str:
        return "largest" if self.faces == "all" else self.faces

    def _read_one(self, photo: Photo, bgr: bool) -> ReadImage:
        name, picture = read_photo(photo, bgr)
        return ReadImage(Path(name), picture.pixels, remarks=picture.remarks)

    def _crop_one(self, photo: Photo, bgr: bool, rule: str | None = None) -> CroppedImage:
        return self._cropper(rule)([self._read_one(photo, bgr)])[0]

    def _read(self, batch: list[Photo], bgr: bool) -> tuple[list[ReadImage], list[tuple[str, ...]]]:
        images, remarks = [], []
        for number, photo in enumerate(batch):
            try:
                name, picture = read_photo(photo, bgr)
                images.append(ReadImage(Path(name), picture.pixels))
                remarks.append(picture.remarks)
            except ImageError as error:
                name = str(photo) if isinstance(photo, str | Path) else f"<photo {number + 1}>"
                images.append(ReadImage(Path(name), None, str(error).removeprefix(f"{name}: ")))
                remarks.append(())
        return images, remarks

    def _embedded(self, groups: list[tuple[Face, ...]]) -> list[tuple[Face, ...]]:
        """The same faces with embeddings, in one pass of the network."""
        crops = [face.crop for faces in groups for face in faces if face.crop is not None]
        if not crops:
            return groups
        embeddings = self.embedder(np.stack(crops))
        rows = iter(range(len(crops)))
        return [tuple(face.with_embedding(embeddings, next(rows)) for face in faces) for faces in groups]


def _require_face(result: CroppedImage) -> None:
    if not result.crops:
        raise NoFaceError(
            f"{result.path}: {result.reason}; try --min-face 12 for small faces, or --already-aligned for a face crop"
        )
