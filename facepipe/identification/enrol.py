"""Building a gallery from folders of photos, with remarks on images worth checking."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facepipe.detection.faces import PLAIN
from facepipe.embedding import Embedder, Embeddings, join
from facepipe.errors import DatasetError
from facepipe.files import Layout, Mark, PassedOver, mark_file, person_of_folder
from facepipe.identification.confidence import confidence
from facepipe.identification.gallery import SAME_PICTURE, UNKNOWN, Gallery, Remark, merge, stored_name, unique_path
from facepipe.images import DAMAGED, each_page, file_of, list_images_by_root
from facepipe.pipeline import CroppedImage, Cropper, Read, ReadImage, embed_images
from facepipe.score.search import top_k
from facepipe.tables import counted

_MIN_SCORE, _MIN_EYE_DISTANCE, _MIN_CONFIDENCE, _NEIGHBOURS = 0.95, 20.0, 0.5, 8


def enrol(
    roots: Sequence[Path],
    cropper: Cropper,
    embedder: Embedder,
    progress: Callable[[int], None] = lambda _: None,
    person: str | None = None,
    passed: PassedOver | None = None,
    read: Read | None = None,
    identity_depth: int = 1,
    marked: bool = False,
    pages: bool = False,
) -> tuple[Gallery, list[Remark]]:
    """Embed a folder per person, or single images named after the person.

    Args:
        roots: folders of ``person/image`` (subfolders belong to the same person) or ``person.jpg``, or images.
        cropper: selects one face per image.
        embedder: of the gallery's model.
        progress: called with the number of images finished in each batch.
        person: the person all images belong to, whatever their folders' names; any text, even ``AC/DC``.
        passed: counts ignored files below the roots.
        read: see `facepipe.pipeline.read_batches`.
        identity_depth: which folder level below a root names the person, see `facepipe.files.identity_of`.
        marked: store the state of each file, so that `update_gallery` detects changes.
        pages: treat every page, frame or picture of a file as an image, not only the first.

    Returns:
        The gallery, and a `Remark` on each image that was left out, has several faces or an uncertain face.

    Raises:
        DatasetError: no image has a face, or a person's name is not allowed.
        ImageError: a root does not exist or cannot be listed.
    """
    _check_person(person)
    names, on_names = stored_paths(roots, person, PassedOver() if passed is None else passed, identity_depth, pages)
    gallery, remarks = enrol_files(names, cropper, embedder, progress, read, marked)
    if gallery is None:
        raise DatasetError(f"{roots[0]}: no face in any of its images; it must contain a folder of photos per person")
    return gallery, [*on_names, *remarks]


def stored_paths(
    roots: Sequence[Path], person: str | None, passed: PassedOver, identity_depth: int = 1, pages: bool = False
) -> tuple[dict[Path, str], list[Remark]]:
    """``person/image`` of every file below the roots, and remarks on names and folders."""
    layout = Layout(identity_depth)
    found: Iterable[tuple[Path, Path]] = list_images_by_root(*roots, passed=passed)
    if pages:
        found = ((page if path == root else root, page) for root, path in found for page in each_page(path))
    names, remarks = _stored_paths(found, person, layout, passed)
    if person is None and layout.remark():
        remarks.append(Remark("folders", str(roots[0]), layout.remark()))
    return names, remarks


def enrol_files(
    names: Mapping[Path, str],
    cropper: Cropper,
    embedder: Embedder,
    progress: Callable[[int], None] = lambda _: None,
    read: Read | None = None,
    marked: bool = False,
) -> tuple[Gallery | None, list[Remark]]:
    """`enrol` for files with known ``person/image``; no gallery if none has a face."""
    watched = _Watched(cropper, names.__getitem__)
    batches = list(embed_images(names, watched, embedder, watched.name, progress, read))
    left_out = [Remark("no_face", *failed) for batch in batches for failed in batch.failed]
    if not any(len(batch) for batch in batches):
        return None, [*left_out, *watched.remarks]
    images = replace(join([batch for batch in batches if len(batch)]), failed=())
    marks = _marks_of(names, set(images.paths)) if marked else {}
    gallery = merge([Gallery(images, marks)])
    return gallery, [*left_out, *watched.remarks, *_weak(gallery.images)]


def _marks_of(names: Mapping[Path, str], embedded: set[str]) -> dict[str, Mark]:
    return {stored: mark_file(file_of(path), digest=True) for path, stored in names.items() if stored in embedded}


def _check_person(name: str | None) -> None:
    if name is not None and (not name.strip() or name == UNKNOWN):
        raise DatasetError(f"{name!r}: not allowed as a person's name; {UNKNOWN!r} stands for strangers")


def _stored_paths(
    found: Iterable[tuple[Path, Path]], person: str | None, layout: Layout, passed: PassedOver
) -> tuple[dict[Path, str], list[Remark]]:
    """Unique ``person/image`` of every file, and remarks on those that had to be numbered."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    remarks = []
    for root, path in found:
        relative = path.relative_to(root) if path != root else Path(path.name)
        owner = person or layout.identity(relative)
        if not owner and len(relative.parts) > 1:
            passed.add("photo outside people's folders", path)
            continue
        wanted = stored_name(f"{owner or person_of_folder(path.stem)}/{_image(relative, bool(person) or not owner)}")
        stored = unique_path(wanted, taken)
        taken.add(stored)
        names[path] = stored
        _check_person(stored.rpartition("/")[0])
        if stored != wanted:
            remarks.append(Remark("renamed", stored, f"{path}: there is another {wanted}; both are kept"))
    return names, remarks


def _image(relative: Path, whole: bool) -> str:
    """A single-component name, without folders above the root, so that galleries do not reveal local paths."""
    return "_".join(relative.parts if whole else relative.parts[1:])


class _Watched(Cropper):
    """A cropper that also collects remarks."""

    def __init__(self, cropper: Cropper, name: Callable[[Path], str]) -> None:
        super().__init__(cropper.aligner, cropper.detector, cropper.rule, cropper.on_miss)
        self.name = name
        self.remarks: list[Remark] = []

    def __call__(self, batch: list[ReadImage]) -> list[CroppedImage]:
        results = super().__call__(batch)
        self.remarks += [remark for result in results for remark in self._remarks(result)]
        return results

    def _remarks(self, result: CroppedImage) -> Iterator[Remark]:
        path = self.name(result.path)
        for remark in result.remarks:
            kind = "damaged" if remark.startswith(DAMAGED) else "picture"
            yield Remark(kind, path, remark)
        if len(result.faces) > 1:
            yield Remark("several_faces", path, f"{counted(len(result.faces), 'face')}; the {self.rule} one was used")
        for index in result.chosen:
            score = float(result.faces.scores[index])
            if result.faces.search != PLAIN:
                yield Remark("low_confidence", path, f"found only in a further search ({result.faces.search})")
            left, right = result.faces.landmarks[index, :2]
            distance = float(np.linalg.norm(right - left))
            if score < _MIN_SCORE:
                yield Remark("low_confidence", path, f"detected with a score of only {score:.2f}")
            elif distance < _MIN_EYE_DISTANCE:
                yield Remark("low_confidence", path, f"a small face: the eyes are {distance:.0f} pixels apart")


def _weak(images: Embeddings) -> list[Remark]:
    """Remarks on images with a confidence far below the median of this gallery."""
    confidences = confidence(images)
    median = float(np.median(confidences))
    return [
            Remark("low_confidence", images.paths[row], f"confidence {confidences[row]:.3g}, median {median:.3g}")
            for row in np.flatnonzero(confidences < _MIN_CONFIDENCE * median)
    ]


def find_lookalikes(gallery: Gallery, same: float, rows: np.ndarray | None = None) -> list[Remark]:
    """Remarks on duplicates, and on images most similar to an image of another person.

    Args:
        gallery: all images.
        same: lowest cosine at which two images count as the same person.
        rows: only check these images; None means all.
    """
    images, owners = gallery.images, gallery.owners
    checked = np.arange(len(images)) if rows is None else rows
    hits = top_k(images.mu[checked], images.mu, _NEIGHBOURS)
    remarks = []
    for row, scores, near in zip(checked, hits.scores, hits.rows, strict=True):
        others = near != row
        near, scores = near[others], scores[others]
        twins = near[(scores >= SAME_PICTURE) & (near < row)]
        path = images.paths[row]
        if len(twins):
            remarks.append(Remark("duplicate", path, f"the same picture as {images.paths[twins.min()]}"))
        elif len(near) and owners[near[0]] != owners[row] and scores[0] >= same:
            remarks.append(
                Remark("resembles", path, f"most like {images.paths[near[0]]}, of another person ({scores[0]:.2f})")
            )
    return remarks
