"""IJB-A: the published lists of its ten splits.

    IJB-A_11_sets/split1/verify_metadata_1.csv      TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,...,FACE_X,FACE_Y,...
    IJB-A_11_sets/split1/verify_comparisons_1.csv   template,template
    IJB-A_1N_sets/split1/search_gallery_1.csv, search_probe_1.csv    as verify_metadata
    images/img/8565.jpg, images/frame/29183_00390.png
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facepipe.datasets.columns import read_columns
from facepipe.errors import DatasetError

VERIFY, SEARCH = "IJB-A_11_sets", "IJB-A_1N_sets"


@dataclass(frozen=True)
class TemplateFaces:
    """The faces of templates; a face may be in several.

    Attributes:
        names: of N faces, ``SUBJECT/img_8565``: with the subject, since a photo may show several.
        files: image file of each, ``img/8565.jpg``.
        boxes: float64 N×4, (left, top, width, height) in pixels of the image, the first box in the list; NaN if there
            is none. (The published lists have one face with two boxes, a pixel or two apart.)
        face: int64 M, face of each line of the list.
        template: int64 M, row of ``ids``.
        media: int64 M, number of the photo or video.
        ids, subject: int64 T, published number and subject of each template, ascending by number.
    """

    names: tuple[str, ...]
    files: tuple[str, ...]
    boxes: np.ndarray
    face: np.ndarray
    template: np.ndarray
    media: np.ndarray
    ids: np.ndarray
    subject: np.ndarray


@dataclass(frozen=True)
class VerifySplit:
    """One split of the verification protocol: ``left`` and ``right`` int64, rows of ``faces.ids``."""

    number: int
    faces: TemplateFaces
    left: np.ndarray
    right: np.ndarray

    @property
    def same(self) -> np.ndarray:
        """bool, whether both templates have the same subject."""
        return np.asarray(self.faces.subject[self.left] == self.faces.subject[self.right])


@dataclass(frozen=True)
class SearchSplit:
    """One split of the search protocol."""

    number: int
    gallery: TemplateFaces
    probes: TemplateFaces


def find_splits(root: Path, kind: str) -> list[tuple[int, Path]]:
    """Number and folder of each split, ascending.

    Args:
        root: the folder of ``splitK``, or its parent.
        kind: ``IJB-A_11_sets`` or ``IJB-A_1N_sets``.

    Raises:
        DatasetError: there are no splits.
    """
    for folder in (root / kind, root):
        found = [(int(name[1]), path) for path in folder.glob("split*") if (name := _SPLIT.fullmatch(path.name))]
        if found:
            return sorted(found)
    raise DatasetError(f"{root}: has no folders split1 … split10, nor has {kind}; give the folder of IJB-A's lists")


_SPLIT = re.compile(r"split(\d+)")


def read_verify_split(number: int, folder: Path) -> VerifySplit:
    """Read one split of the verification protocol.

    Raises:
        DatasetError: missing or malformed, or a comparison has an unknown template.
    """
    faces = read_ijba_faces(folder / f"verify_metadata_{number}.csv")
    path = folder / f"verify_comparisons_{number}.csv"
    left, right = read_columns(path, {0: "int64", 1: "int64"}, delimiter=",")
    return VerifySplit(number, faces, _rows(faces.ids, left, path), _rows(faces.ids, right, path))


def read_search_split(number: int, folder: Path) -> SearchSplit:
    """Read one split of the search protocol.

    Raises:
        DatasetError: missing or malformed.
    """
    gallery, probes = folder / f"search_gallery_{number}.csv", folder / f"search_probe_{number}.csv"
    return SearchSplit(number, read_ijba_faces(gallery), read_ijba_faces(probes))


def read_ijba_faces(path: Path) -> TemplateFaces:
    """Read a list of faces, which has a header.

    Raises:
        DatasetError: missing or malformed, or a template has two subjects.
    """
    box = ("FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT")
    kinds: dict[int | str, str] = {"TEMPLATE_ID": "int64", "SUBJECT_ID": "int64", "FILE": "text", "MEDIA_ID": "int64"}
    template, subject, file, media, *edges = read_columns(
        path, kinds | dict.fromkeys(box, "float64"), delimiter=",", header=True
    )
    ids, first, row = np.unique(template, return_index=True, return_inverse=True)
    if (subject != subject[first][row]).any():
        raise DatasetError(f"{path}: template {template[(subject != subject[first][row]).argmax()]} has two subjects")
    names = [face_name(s, f) for s, f in zip(subject.tolist(), file.tolist(), strict=True)]
    unique: dict[str, int] = {}
    face = np.array([unique.setdefault(name, len(unique)) for name in names])
    at = np.unique(face, return_index=True)[1]
    boxes = np.stack(edges, axis=1)[at]
    return TemplateFaces(tuple(unique), tuple(file[at].tolist()), boxes, face, row, media, ids, subject[first])


def face_name(subject: int, file: str) -> str:
    """Name of a face: ``1673/img_8565`` for subject 1673 in ``img/8565.jpg``."""
    return f"{subject}/{file.rpartition('.')[0].replace('/', '_')}"


def _rows(ids: np.ndarray, wanted: np.ndarray, path: Path) -> np.ndarray:
    rows = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    if (ids[rows] != wanted).any():
        raise DatasetError(f"{path}: template {wanted[(ids[rows] != wanted).argmax()]} is not in the list of faces")
    return rows
