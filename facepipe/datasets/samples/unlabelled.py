"""Images without identities, for distillation."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facepipe.datasets.samples.opening import shards_and_others
from facepipe.datasets.samples.path_table import PathTable
from facepipe.datasets.samples.samples import UNLABELLED, Samples, concatenate_samples, size_of
from facepipe.datasets.samples.shards import open_shards
from facepipe.errors import DatasetError, ImageError
from facepipe.files import PassedOver
from facepipe.images import list_images, read_encoded


def open_unlabelled(paths: Sequence[str | os.PathLike[str]], cut_shards: str = "refuse") -> Samples:
    """Open tar shards, folders of tar shards, and folders with images at any depth; labels are ignored.

    Raises:
        DatasetError: a path is missing or has no images, or a shard is malformed.
    """
    shards, others = shards_and_others(paths)
    parts = [open_shards(shards, cut_shards, labelled=False)] if shards else []
    parts += [_open_folder(path) for path in others]
    return parts[0] if len(parts) == 1 else concatenate_samples(parts, [part.labels for part in parts], [])


def add_unlabelled(samples: Samples, unlabelled: Samples) -> Samples:
    """Append images of ``UNLABELLED``; the classes are unchanged."""
    parts = [samples, unlabelled]
    return concatenate_samples(parts, [part.labels for part in parts], samples.identities)


def _open_folder(path: Path) -> Samples:
    if not path.is_dir():
        raise DatasetError(
            f"{path}: no unlabelled data; give .tar shards, a folder of them, or a folder with images"
        )
    try:
        passed = PassedOver()
        # Sorted like Path objects, by component, but without creating them.
        keys = sorted(str(file).replace(os.sep, "\0") for file in list_images(path, passed=passed))
        files = PathTable(key.replace("\0", os.sep) for key in keys)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if not len(files):
        raise DatasetError(f"{path}: has no images; check the path")
    labels = np.full(len(files), UNLABELLED, dtype=np.int64)
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
