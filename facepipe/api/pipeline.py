"""A detector and a model kept for many photos."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facepipe.alignment import Aligner
from facepipe.api.comparison import (
    Comparison,
    Comparisons,
    Decide,
    compare_faces,
    compare_pairs,
    require_score,
)
from facepipe.api.face import Face, PhotoFaces, faces_of
from facepipe.detection import Detector, DetectorSettings, create_detector, preset
from facepipe.detection.advice import no_face_advice
from facepipe.embedding import Embedder
from facepipe.embedding.aligning import aligner_of
from facepipe.errors import ImageError, NoFaceError
from facepipe.images import Photo, RemotePhoto, list_images, read_photo
from facepipe.pipeline import CroppedImage, Cropper, ReadImage, embed_results
from facepipe.zoo import DEFAULT, Model, engine_for, load

if TYPE_CHECKING:
    from facepipe.api.identified import IdentifiedFace
    from facepipe.identification import Gallery
    from facepipe.identification.found import FoundPhoto

_BATCH = 16


class Pipeline:
    """Detection, alignment and embedding with fixed settings.

    Detector and model are loaded for the first photo and kept.

    >>> from skimage.data import astronaut
    >>> pipeline = Pipeline()
    >>> [face] = pipeline.embed(astronaut())
    >>> face.crop.shape, face.embedding.shape, face.score > 0.99
    ((112, 112, 3), (128,), True)

    Args:
        model: a name from ``facepipe models list``, a card file, a run folder, or the result of `facepipe.load`.
        device: ``auto``, ``cpu``, ``cuda`` ...
        engine: ``torch``, ``onnx`` or ``auto``: ONNX on the CPU unless PyTorch is already imported, see
            `facepipe.engines.choose_engine`. A loaded model keeps its own.
        detection: settings, or the name of a preset; None means SphereFace's, with photos rotated if no face is
            found upright.
        faces: which face of several: ``largest``, ``centre``, ``best`` or ``all``.
        flip: how image and mirror image are combined; None means the card's rule.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        already_aligned: photos are aligned crops; detection and alignment are skipped.
        warp: where `embed_many` cuts crops: on the ``host``, or on the ``device``, which needs PyTorch.
    """

    def __init__(
        self,
        model: str | Path | Model = DEFAULT,
        *,
        device: str = "auto",
        engine: str = "auto",
        detection: DetectorSettings | str | None = None,
        faces: str = "largest",
        flip: str | None = None,
        precision: str = "auto",
        already_aligned: bool = False,
        warp: str = "host",
    ) -> None:
        self._model, self.device, self._engine = model, device, engine
        if detection is None:
            detection = preset(turns=True)
        self.detection = preset(detection) if isinstance(detection, str) else detection
        self.faces, self.flip, self.precision, self.already_aligned = faces, flip, precision, already_aligned
        self.warp = warp

    @cached_property
    def engine(self) -> str:
        """What runs the networks: ``torch`` or ``onnx``."""
        if isinstance(self._model, Model):
            return self._model.engine
        how = {"device": self.device, "precision": self.precision, "warp": self.warp}
        return engine_for([self._model], self._engine, photos=1, **how)

    @cached_property
    def detector(self) -> Detector:
        """The detector."""
        return create_detector(self.detection, self.device, self.engine)

    @cached_property
    def embedder(self) -> Embedder:
        """The model, ready to embed crops."""
        model = self._model
        if not isinstance(model, Model):
            model = load(model, self.device, self.engine, self.flip)
        return Embedder(model, flip=self.flip, precision=self.precision)

    @cached_property
    def aligner(self) -> Aligner:
        """Produces crops for the model."""
        return Aligner(self.embedder.model.card.input.template)

    @cached_property
    def _batch_aligner(self) -> Aligner:
        return aligner_of(self.embedder, self.warp, self._detector())

    def detect(self, photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
        """All faces of a photo, best score first; without crops, so no model is loaded.

        Args:
            photo: a path, bytes, a file object, a Pillow image, or a uint8 H×W×3 RGB array.
            bgr: arrays are in BGR order.

        Raises:
            ImageError: the photo cannot be read.
        """
        pixels = read_photo(photo, bgr)[1].pixels
        found = self.detector([pixels])[0]
        rows = zip(found.boxes, found.landmarks, found.scores, strict=True)
        return tuple(Face(box, landmarks, float(score)) for box, landmarks, score in rows)

    def align(self, photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
        """The chosen faces with their crops; empty if there is no face. Arguments as for `detect`."""
        return faces_of(self._crop_one(photo, bgr))

    def embed(self, photo: Photo, bgr: bool = False) -> tuple[Face, ...]:
        """The chosen faces with crops and embeddings; empty if there is no face. Arguments as for `detect`."""
        faces = self.align(photo, bgr)
        return self._embedded([faces], np.array([face.crop for face in faces]))[0]

    def embed_many(self, photos: Iterable[Photo], bgr: bool = False) -> Iterator[PhotoFaces]:
        """Like `embed`, in batches; an unreadable photo is reported in its place and stops nothing."""
        remaining = iter(photos)
        while batch := list(islice(remaining, _BATCH)):
            images, remarks = self._read(batch, bgr)
            results = Cropper(self._batch_aligner, self._detector(), self.faces, "drop")(images)
            crops = self._batch_aligner.stack([crop for result in results for crop in result.crops])
            faces = self._embedded([faces_of(result) for result in results], crops)
            for result, chosen, message in zip(results, faces, remarks, strict=True):
                yield PhotoFaces(str(result.path), chosen, message, result.reason if result.status == "error" else "")

    def compare(
        self, a: Photo, b: Photo, decide: Decide | None = None, bgr: bool = False, strict: bool = False
    ) -> Comparison:
        """Whether two photos show the same person, by the chosen face of each.

        Args:
            a, b: photos, as for `detect`.
            decide: score and false-accept rate of the decision; None means cosine at 1 in 1,000.
            bgr: arrays are in BGR order.
            strict: reject photos with damaged data.

        Raises:
            ImageError: a photo cannot be read.
            NoFaceError: a photo shows no face.
            ModelError: the model does not support the score or has no threshold for it.
        """
        # Photos first, so that a wrong path is reported before a model is loaded.
        images = [self._read_one(photo, bgr, strict) for photo in (a, b)]
        require_score(self.embedder, (decide or Decide()).score)
        cropper = self._cropper(self._one_face())
        results = cropper(images)
        for result in results:
            if not result.crops:
                raise NoFaceError(self._no_face(result))
        return compare_faces(images, results, cropper.findings, self.embedder, decide or Decide())

    def compare_many(
        self,
        photos: Sequence[Photo],
        decide: Decide | None = None,
        all_pairs: bool = False,
        bgr: bool = False,
        strict: bool = False,
    ) -> Comparisons:
        """Compare the first photo with each of the others, by the chosen face of each; pixels are not kept.

        Args:
            photos: as for `detect`; at least two.
            decide: as for `compare`.
            all_pairs: compare every photo with every other.
            bgr: arrays are in BGR order.
            strict: reject photos with damaged data.

        Returns:
            The comparisons; unreadable photos and photos without a face are in ``failed``.

        Raises:
            ImageError, NoFaceError: the first photo cannot be used (without all pairs), or fewer than two can.
            ModelError: the model does not support the score or has no threshold for it.
        """
        found: list[CroppedImage] = []
        failed: list[tuple[str, str]] = []
        for photo in photos:
            first = not (found or failed or all_pairs)
            try:
                image = self._read_one(photo, bgr, strict)
            except ImageError as error:
                if first:
                    raise
                name = str(photo) if isinstance(photo, str | Path) else "<photo>"
                failed.append((name, str(error).removeprefix(f"{name}: ")))
                continue
            if not (found or failed):
                require_score(self.embedder, (decide or Decide()).score)
            [result] = self._cropper(self._one_face())([image])
            if result.crops:
                found.append(result)
            elif first:
                raise NoFaceError(self._no_face(result))
            else:
                failed.append((str(result.path), self._no_face(result).removeprefix(f"{result.path}: ")))
        if len(found) < 2:
            raise NoFaceError(f"{failed[0][0]}: {failed[0][1]}; fewer than two photos could be compared")
        findings = self._cropper(self._one_face()).findings
        made = compare_pairs(found, findings, self.embedder, decide or Decide(), all_pairs)
        return Comparisons(tuple(made), tuple(failed), all_pairs)

    def _no_face(self, result: CroppedImage) -> str:
        advice = no_face_advice(self.detection, result.size, self.aligner.size, result.remarks)
        return f"{result.path}: {result.reason}{advice}"

    def find(
        self, photo: Photo, folder: str | Path, top: int = 10, fpir: float = 0.01, bgr: bool = False
    ) -> "tuple[FoundPhoto, ...]":
        """The faces in a folder that are nearest to the chosen face of a photo, best first, with verdicts.

        All faces of the folder are embedded once and kept in facepipe's cache, in a file readable only by its owner;
        see `facepipe.identification.folder_faces`.

        Args:
            photo: as for `detect`.
            folder: folder of photos, searched recursively.
            top: number of faces to return.
            fpir: share of searches for absent people that may return a match.
            bgr: arrays are in BGR order.

        Raises:
            ImageError: the photo cannot be read, or the folder does not exist.
            NoFaceError: the photo shows no face.
        """
        from facepipe.identification.folder_faces import folder_faces
        from facepipe.identification.found import nearest_faces
        from facepipe.identification.hits import judge_of

        image = self._read_one(photo, bgr)
        cropper = self._cropper(self._one_face())
        results = cropper([image])
        if not results[0].crops:
            raise NoFaceError(self._no_face(results[0]))
        query = embed_results(results, cropper.findings, self.embedder)
        stored = folder_faces(Path(folder), list_images(folder), self._cropper("all"), self.embedder)
        judge = judge_of(self.embedder.model.card, len(stored.faces), fpir, self.embedder.flip)
        return nearest_faces(query, stored, Path(folder), judge, top, self.device)[0]

    def identify(
        self, photo: Photo, gallery: "str | Path | Gallery", fpir: float = 0.01, bgr: bool = False
    ) -> "tuple[IdentifiedFace, ...]":
        """Every face of a photo, from left to right, with its name in a gallery, or ``unknown``.

        Args:
            photo: as for `detect`.
            gallery: made with this pipeline's model: a file from ``facepipe gallery build``, or a `Gallery`.
            fpir: share of searches by strangers that may return a name.
            bgr: arrays are in BGR order.

        Raises:
            ImageError: the photo cannot be read.
            EmbeddingsError: the gallery cannot be read, is empty, or was made by another model.
        """
        # Imported here: galleries need Arrow, which comparisons do not.
        from facepipe.api.identified import identify_faces, open_gallery

        result = self._crop_one(photo, bgr, "all")
        return identify_faces(faces_of(result), open_gallery(gallery), self.embedder, fpir)

    def _detector(self) -> Detector | None:
        return None if self.already_aligned else self.detector

    def _cropper(self, rule: str | None = None) -> Cropper:
        return Cropper(self.aligner, self._detector(), rule or self.faces, "drop")

    def _one_face(self) -> str:
        return "largest" if self.faces == "all" else self.faces

    def _read_one(self, photo: Photo, bgr: bool, strict: bool = False) -> ReadImage:
        name, picture = read_photo(photo, bgr, strict=strict)
        return ReadImage(_named(photo, name), picture.pixels, remarks=picture.remarks)

    def _crop_one(self, photo: Photo, bgr: bool, rule: str | None = None) -> CroppedImage:
        return self._cropper(rule)([self._read_one(photo, bgr)])[0]

    def _read(self, batch: list[Photo], bgr: bool) -> tuple[list[ReadImage], list[tuple[str, ...]]]:
        images, remarks = [], []
        for number, photo in enumerate(batch):
            try:
                name, picture = read_photo(photo, bgr)
                images.append(ReadImage(_named(photo, name), picture.pixels))
                remarks.append(picture.remarks)
            except ImageError as error:
                name = str(photo) if isinstance(photo, str | Path) else f"<photo {number + 1}>"
                images.append(ReadImage(Path(name), None, str(error).removeprefix(f"{name}: ")))
                remarks.append(())
        return images, remarks

    def _embedded(self, groups: list[tuple[Face, ...]], crops: Any) -> list[tuple[Face, ...]]:
        """The faces with their crops, on the host, and embeddings, from one pass of the network."""
        if not len(crops):
            return groups
        embeddings = self.embedder(crops)
        rows = iter(range(len(crops)))
        groups = [tuple(face.with_embedding(embeddings, next(rows)) for face in faces) for faces in groups]
        if isinstance(crops, np.ndarray):
            return groups
        host = iter(crops.cpu().numpy())
        return [tuple(replace(face, crop=next(host).copy()) for face in faces) for faces in groups]


def _named(photo: Photo, name: str) -> Path:
    return photo if isinstance(photo, RemotePhoto) else Path(name)
