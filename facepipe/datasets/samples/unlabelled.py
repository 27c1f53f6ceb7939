"""Images without an identity, for what can be learnt without one: a teacher's embeddings."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facepipe.datasets.samples.opening import shards_and_others
from facepipe.datasets.samples.path_table import PathTable
from facepipe.datasets.samples.samples import NOBODY, Samples, after_each_other, size_of
from facepipe.datasets.samples.shards import open_shards
from facepipe.errors import DatasetError, ImageError
from facepipe.files import PassedOver
from facepipe.images import list_images, read_encoded


def open_unlabelled(paths: Sequence[str | os.PathLike[str]], cut_shards: str = "refuse") -> Samples:
    """Tar shards, folders of tar shards, and folders with images at any depth; labels are not looked at.

    Raises:
        DatasetError: a path is missing or holds no image, or a shard is malformed.
    """
    shards, others = shards_and_others(paths)
    parts = [open_shards(shards, cut_shards, labelled=False)] if shards else []
    parts += [_open_folder(path) for path in others]
    return parts[0] if len(parts) == 1 else after_each_other(parts, [part.labels for part in parts], [])


def add_unlabelled(samples: Samples, unlabelled: Samples) -> Samples:
    """``samples``, and after them images of ``NOBODY``; the classes stay as they are."""
    parts = [samples, unlabelled]
    return after_each_other(parts, [part.labels for part in parts], samples.identities)


def _open_folder(path: Path) -> Samples:
    if not path.is_dir():
        raise DatasetError(
            f"{path}: no unlabelled data; give .tar shards, a folder of them, or a folder with images"
        )
    try:
        passed = PassedOver()
        # As paths are sorted, part by part, without as many objects.
        keys = sorted(str(file).replace(os.sep, "\0") for file in list_images(path, passed=passed))
        files = PathTable(key.replace("\0", os.sep) for key in keys)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if not len(files):
        raise DatasetError(f"{path}: no image in it; check the path")
    labels = np.full(len(files), NOBODY, dtype=np.int64)
    notes = (f"{path}: {passed.line()}",) if passed else ()
    return Samples(
        str(path),
        labels,
        [],
        lambda i: read_encoded(files[i]),
        lambda i: str(files[i]),
        notes,
        size=lambda i: size_of(files[i]),
    )
