"""MegaFace: feature files of its development kit, its lists, and the noise lists.

A feature file is an OpenCV matrix with one column: four little-endian int32 (rows, 1, 4 bytes per value, 5 for
float32), then the values. It is named after its photo plus a suffix: ``NAME/photo.png_algorithm.bin``. insightface
disables noisy distractors with an extra coordinate, 100 for them and 0 for all other features.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from facepipe.datasets.lines import image_path, read_lines, read_text
from facepipe.errors import DatasetError
from facepipe.files import write_bytes

_HEADER = struct.Struct("<4i")
_FLOAT32 = 5
NOISE = 100.0


def write_feature(path: Path, feature: np.ndarray) -> None:
    """Write one feature, float32 D, creating its folder."""
    values = np.asarray(feature, "<f4").ravel()
    write_bytes(path, _HEADER.pack(len(values), 1, 4, _FLOAT32) + values.tobytes())


def read_feature(path: Path) -> np.ndarray:
    """Read one feature.

    Returns:
        float32 D.

    Raises:
        DatasetError: missing, or not a float32 matrix of one column; names the file.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such feature file; check the folder and the suffix of its files") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) < _HEADER.size:
        raise DatasetError(f"{path}: {len(data)} bytes are too short for a feature file; write it again")
    rows, columns, step, kind = _HEADER.unpack_from(data)
    if (columns, step, kind) != (1, 4, _FLOAT32) or len(data) != _HEADER.size + 4 * rows or rows < 1:
        raise DatasetError(f"{path}: not an OpenCV matrix of float32 with one column; write it again")
    return np.frombuffer(data, "<f4", offset=_HEADER.size).astype(np.float32)


def read_features(root: Path, names: Sequence[str], ending: str) -> np.ndarray:
    """Features of these photos, float32 N×D.

    Raises:
        DatasetError: one is missing or malformed, or their lengths differ.
    """
    if not names:
        raise DatasetError(f"{root}: no photos to read features of")
    first = read_feature(root / f"{names[0]}{ending}")
    out = np.empty((len(names), len(first)), np.float32)
    for row, name in enumerate(names):
        feature = read_feature(root / f"{name}{ending}")
        if len(feature) != len(first):
            raise DatasetError(f"{root / name}{ending}: {len(feature)} values, but the first file has {len(first)}")
        out[row] = feature
    return out


def feature_blocks(root: Path, names: Sequence[str], ending: str, rows: int = 16_384) -> Iterator[np.ndarray]:
    """`read_features` block by block, to bound memory for a million distractors."""
    for first in range(0, len(names), rows):
        yield read_features(root, names[first : first + rows], ending)


def has_noise_coordinate(features: np.ndarray) -> bool:
    """Whether the last coordinate of features N×D marks noise: it is 0 or 100 in all of them."""
    last = features[:, -1]
    return features.shape[1] > 1 and bool(((last == 0) | (last == NOISE)).all())


def split_noise(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Remove the coordinate that marks noise.

    Args:
        features: float N×D.

    Returns:
        The features without it, and which are disabled, bool N.
    """
    return features[:, :-1], features[:, -1] == NOISE


def with_noise(features: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """Append the coordinate that marks noise: 100 where ``noisy``, else 0; float32 N×(D+1)."""
    extra = np.where(noisy, np.float32(NOISE), np.float32(0))[:, None]
    return np.concatenate([np.asarray(features, np.float32), extra], axis=1)


_WANTED = "give a list of the MegaFace kit, or a text file with one photo per line"


def list_features(root: Path, ending: str) -> list[str]:
    """Names of all photos with a feature file under ``root``, sorted.

    Raises:
        DatasetError: there are none.
    """
    names = sorted(path.relative_to(root).as_posix()[: -len(ending)] for path in root.rglob(f"*{ending}"))
    if not names:
        raise DatasetError(f"{root}: no feature files with suffix {ending}; check the folder and the suffix")
    return names


def read_list(path: Path) -> list[str]:
    """Photos of a list: the kit's JSON (``path``), or text with one photo per line.

    Raises:
        DatasetError: missing, malformed or empty.
    """
    text = read_text(path, _WANTED)
    try:
        names = json.loads(text)["path"] if text.lstrip().startswith("{") else text.split("\n")
        found = [image_path(str(name)) for name in names]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: not a list of the MegaFace kit: it has no 'path'") from error
    if not any(found):
        raise DatasetError(f"{path}: no photos in the list")
    return [name for name in found if name]


def read_noises(path: Path) -> frozenset[str]:
    """Photos of a noise list: one per line, ``#`` starts a comment; with several tab-separated columns, the second.

    Raises:
        DatasetError: missing or not a text file.
    """
    lines = (line.text.split("\t") for line in read_lines(path, _WANTED) if line.text[0] != "#")
    return frozenset(image_path(words[1] if len(words) > 1 else words[0]) for words in lines)
