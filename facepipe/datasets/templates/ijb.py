"""IJB-B and IJB-C: metadata with the file names and formats in common use.

    IJBC/loose_crop/1.jpg ...
    IJBC/meta/ijbc_face_tid_mid.txt         image, template, media
    IJBC/meta/ijbc_name_5pts_score.txt      image, five points x y, detector's score
    IJBC/meta/ijbc_template_pair_label.txt  template, template, 1 where one person
    IJBC/meta/ijbc_1N_gallery_G1.csv, ..._G2.csv (IJB-B: S1, S2), ijbc_1N_probe_mixed.csv   template, subject ...
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facepipe.datasets.columns import read_columns, stream_columns
from facepipe.datasets.templates.template_rows import TemplateRows
from facepipe.errors import DatasetError
from facepipe.tables import counted

SUBSETS = ("B", "C")
_GALLERIES = {"B": ("S1", "S2"), "C": ("G1", "G2")}


@dataclass(frozen=True)
class IjbFaces:
    """The faces of a subset, in the order of its lists.

    Attributes:
        names: image file of each, as in ``loose_crop``.
        template: int64 N, published template number.
        media: int64 N, number of the photo or video of the face.
        landmarks: float32 N×5×2, (x, y) as in the list.
        detector_score: float32 N.
    """

    names: tuple[str, ...]
    template: np.ndarray
    media: np.ndarray
    landmarks: np.ndarray
    detector_score: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class TemplatePairs:
    """Pairs of templates: ``left`` and ``right`` int32 M, rows of ``templates``; ``same`` bool M."""

    left: np.ndarray
    right: np.ndarray
    same: np.ndarray

    def __len__(self) -> int:
        return len(self.same)


@dataclass(frozen=True)
class Enrolment:
    """The distinct templates of a gallery or of a set of probes: int64 T ``template`` and ``subject``."""

    template: np.ndarray
    subject: np.ndarray

    def __len__(self) -> int:
        return len(self.template)


@dataclass(frozen=True)
class IjbFolder:
    """The file locations of a subset.

    Attributes:
        subset: ``B`` or ``C``.
        root: the folder with ``meta`` and ``loose_crop``.
    """

    subset: str
    root: Path

    @property
    def images(self) -> Path:
        """The folder of images."""
        return self.root / "loose_crop"

    def meta(self, name: str) -> Path:
        """A metadata file, such as ``face_tid_mid.txt``."""
        return self.root / "meta" / f"ijb{self.subset.lower()}_{name}"

    @property
    def pairs(self) -> Path:
        """The list of template pairs."""
        return self.meta("template_pair_label.txt")

    @property
    def galleries(self) -> tuple[Path, Path]:
        """Both galleries."""
        first, second = _GALLERIES[self.subset]
        return self.meta(f"1N_gallery_{first}.csv"), self.meta(f"1N_gallery_{second}.csv")

    @property
    def probes(self) -> Path:
        """The mixed probes."""
        return self.meta("1N_probe_mixed.csv")


def find_ijb(root: Path, subset: str) -> IjbFolder:
    """The folder of a subset: ``root`` itself, or ``IJBB`` or ``IJBC`` in it or in a subfolder (``IJB_release``).

    Raises:
        DatasetError: there are no metadata; says what is expected and where to get it.
    """
    if subset not in SUBSETS:
        raise DatasetError(f"IJB-{subset} is unknown; choose B or C")
    names = f"IJB{subset}", f"IJB-{subset}", f"ijb{subset.lower()}"
    outer = [root, *sorted(path for path in root.glob("*") if path.is_dir())] if root.is_dir() else []
    for folder in (root, *(parent / name for parent in outer for name in names)):
        # Some copies have both subsets in one folder, each with its own lists.
        if (folder / "meta" / f"ijb{subset.lower()}_face_tid_mid.txt").is_file():
            return IjbFolder(subset, folder)
    raise DatasetError(
        f"{root}: has no folder 'meta' with ijb{subset.lower()}_face_tid_mid.txt; "
        f"docs/protocols/ijb.md says where to get IJB-{subset}"
    )


def read_faces(folder: IjbFolder) -> IjbFaces:
    """Read the lists of faces and of landmarks, which must have the same images in the same order.

    Raises:
        DatasetError: missing, malformed, or the lists differ; names file and row.
    """
    faces, points = folder.meta("face_tid_mid.txt"), folder.meta("name_5pts_score.txt")
    names, template, media = read_columns(faces, {0: "text", 1: "int64", 2: "int64"})
    kinds: dict[int | str, str] = {0: "text", **dict.fromkeys(range(1, 12), "float32")}
    listed, *numbers = read_columns(points, kinds)
    if len(names) != len(listed):
        raise DatasetError(f"{points}: {counted(len(listed), 'image')}, but {faces.name} has {len(names)}")
    differ = np.flatnonzero(names != listed)
    if len(differ):
        row = differ[0]
        raise DatasetError(f"{points}, line {row + 1}: {listed[row]}, but {faces.name} has {names[row]} in that line")
    landmarks = np.stack(numbers[:10], axis=1).reshape(-1, 5, 2)
    return IjbFaces(tuple(names.tolist()), template, media, landmarks, numbers[10])


def read_template_pairs(path: Path, templates: np.ndarray) -> TemplatePairs:
    """Read the pairs block by block, converting template numbers to rows of ``templates``.

    Args:
        path: ``ijbX_template_pair_label.txt``.
        templates: int64 T, ascending template numbers.

    Raises:
        DatasetError: missing or malformed, a label other than 0 or 1, or a template without faces.
    """
    row_of = TemplateRows(templates)
    parts = []
    for left, right, label in stream_columns(path, {0: "int32", 1: "int32", 2: "int32"}):
        if not ((label == 0) | (label == 1)).all():
            wrong = label[(label != 0) & (label != 1)][0]
            raise DatasetError(f"{path}: the label of a pair is {wrong}; it must be 1 (same person) or 0")
        parts.append((row_of(left, path), row_of(right, path), label == 1))
    return TemplatePairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def read_enrolment(path: Path) -> Enrolment:
    """Read a gallery or the probes: a header, then lines ``template,subject,...``, one or more per template.

    Raises:
        DatasetError: missing or malformed, or a template has two subjects.
    """
    template, subject = read_columns(path, {0: "int64", 1: "int64"}, delimiter=",", header=True)
    unique, first, position = np.unique(template, return_index=True, return_inverse=True)
    if (subject != subject[first][position]).any():
        wrong = template[(subject != subject[first][position]).argmax()]
        raise DatasetError(f"{path}: template {wrong} has two subjects")
    return Enrolment(unique, subject[first])
