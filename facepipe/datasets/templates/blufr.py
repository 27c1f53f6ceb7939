"""BLUFR: the trial lists for LFW (Liao, Lei, Yi and Li, IJCB 2014), ``blufr_lfw_config.mat``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facepipe.datasets.mat_file import read_mat
from facepipe.errors import DatasetError
from facepipe.tables import counted


@dataclass(frozen=True)
class Trial:
    """One trial: int64 indices of images, 0-based. Gallery and probes are part of ``test``."""

    train: np.ndarray
    test: np.ndarray
    gallery: np.ndarray
    probe: np.ndarray


@dataclass(frozen=True)
class Blufr:
    """The lists.

    Attributes:
        names: of all 13,233 images, as ``Name/Name_0001``.
        person: int64, person in each image.
        trials: ten.
    """

    names: tuple[str, ...]
    person: np.ndarray
    trials: tuple[Trial, ...]


def read_blufr(path: Path) -> Blufr:
    """Read ``blufr_lfw_config.mat``.

    Raises:
        DatasetError: missing, not a MATLAB file, or without BLUFR's variables.
    """
    found = read_mat(path, ("imageList", "labels", "trainIndex", "testIndex", "galIndex", "probIndex"))
    try:
        names = lfw_names(found["imageList"])
        person = found["labels"].ravel().astype(np.int64)
        cells = [found[key].ravel() for key in ("trainIndex", "testIndex", "galIndex", "probIndex")]
        trials = tuple(
            Trial(*(indices(cell, len(names), path) for cell in trial)) for trial in zip(*cells, strict=True)
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: its variables do not have the form of blufr_lfw_config.mat") from error
    if len(person) != len(names):
        raise DatasetError(f"{path}: {counted(len(person), 'label')} for {counted(len(names), 'image')}")
    return Blufr(names, person, trials)


def indices(values: np.ndarray, count: int, path: Path) -> np.ndarray:
    """Convert MATLAB's 1-based indices to 0-based int64.

    Raises:
        DatasetError: one is below 1 or above ``count``.
    """
    index = np.asarray(values).ravel().astype(np.int64) - 1
    if len(index) and (index.min() < 0 or index.max() >= count):
        raise DatasetError(f"{path}: an index is outside of 1 … {count}")
    return index


def lfw_names(cells: np.ndarray) -> tuple[str, ...]:
    """Names of the images in a MATLAB cell array of file names.

    Raises:
        TypeError, ValueError: it is something else.
    """
    files = [cell.item() for cell in cells.ravel()]
    if not all(isinstance(file, str) for file in files):
        raise TypeError("a cell is not text")
    return tuple(lfw_name(file) for file in files)


def lfw_name(file: str) -> str:
    r"""``Name/Name_0001`` for ``Name_0001.jpg``, ``Name/Name_0001.jpg`` or ``Name\Name_0001.jpg``."""
    stem = file.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    return f"{stem.rpartition('_')[0]}/{stem}"
