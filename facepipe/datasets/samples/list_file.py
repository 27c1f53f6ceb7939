"""A text file with one image and its label per line, as SphereFace's get_list.m and mxnet's im2rec write."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from facepipe.datasets.samples.samples import Samples, from_names, size_of
from facepipe.errors import DatasetError
from facepipe.images import read_encoded


def open_list(path: str | os.PathLike[str]) -> Samples:
    """Lines ``IMAGE LABEL`` (tab, else the last blank divides) or mxnet's ``NUMBER<tab>LABEL<tab>IMAGE``.

    A relative image path counts from the folder of the list. A label is a name or a number; numbers need
    not be gapless. Empty lines and lines that begin with ``#`` are skipped.

    Raises:
        DatasetError: a line has no label, or a numeric label is negative; names the line.
    """
    path = Path(path)
    images: list[str] = []
    names: list[str] = []
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip() and not line.startswith("#"):
                    image, name = _split(line.strip(), f"{path}, line {number}")
                    images.append(image)
                    names.append(name)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 text; a list has one 'IMAGE LABEL' per line") from error
    table = pa.array(images, type=pa.large_string())
    root = path.parent

    def read(index: int) -> bytes:
        return read_encoded(Path(root, table[index].as_py()))

    samples = from_names(
        str(path),
        names,
        read,
        lambda index: str(root / table[index].as_py()),
        size=lambda index: size_of(root / table[index].as_py()),
    )
    return _in_numeric_order(samples)


def _split(line: str, where: str) -> tuple[str, str]:
    parts = line.split("\t")
    if len(parts) == 3 and parts[0].isdigit():
        image, name = parts[2], _whole(parts[1])
    elif len(parts) == 2:
        image, name = parts
    elif len(parts) == 1 and len(line.rsplit(None, 1)) == 2:
        image, name = line.rsplit(None, 1)
    else:
        raise DatasetError(f"{where}: expected 'IMAGE LABEL', found {line[:60]!r}")
    name = name.strip()
    if name.startswith("-") and name[1:].isdigit():
        raise DatasetError(f"{where}: label {name} is out of range; numbers start at 0")
    if not name or not image:
        raise DatasetError(f"{where}: expected 'IMAGE LABEL', found {line[:60]!r}")
    return image, name


def _whole(label: str) -> str:
    """im2rec writes labels as floats, such as 3.000000."""
    try:
        return str(int(float(label))) if float(label).is_integer() else label
    except ValueError:
        return label


def _in_numeric_order(samples: Samples) -> Samples:
    if not all(name.isdigit() for name in samples.identities):
        return samples
    order = np.argsort([int(name) for name in samples.identities], kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    names = [samples.identities[index] for index in order]
    return Samples(samples.where, place[samples.labels], names, samples.read, samples.key, samples.notes)
