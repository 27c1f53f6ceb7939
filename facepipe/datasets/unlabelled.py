"""Images without an identity, for what can be learnt without one: a teacher's embeddings."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facepipe.datasets.open_samples import shards_of
from facepipe.datasets.samples import NOBODY, Samples, readers
from facepipe.datasets.shards import open_shards
from facepipe.errors import DatasetError, ImageError
from facepipe.images import list_images


def open_unlabelled(paths: Sequence[str | os.PathLike[str]], cut_shards: str = "refuse") -> Samples:
    """Tar shards, folders of tar shards, and folders with images at any depth; labels are not looked at.

    Raises:
        DatasetError: a path is missing or holds no image, or a shard is malformed.
    """
    shards: list[Path] = []
    parts: list[Samples] = []
    for path in map(Path, paths):
        found = shards_of(path)
        if found:
            shards += found
        else:
            parts.append(_open_folder(path))
    if shards:
        parts.insert(0, open_shards(shards, cut_shards, labelled=False))
    return parts[0] if len(parts) == 1 else _after_each_other(parts, [])


def add_unlabelled(samples: Samples, unlabelled: Samples) -> Samples:
    """``samples``, and after them images of ``NOBODY``; the classes stay as they are."""
    return _after_each_other([samples, unlabelled], samples.identities)


def _after_each_other(parts: Sequence[Samples], identities: Sequence[str]) -> Samples:
    read, key = readers(parts)
    return Samples(
        where=", ".join(part.where for part in parts),
        labels=np.concatenate([part.labels for part in parts]),
        identities=identities,
        read=read,
        key=key,
        notes=tuple(note for part in parts for note in part.notes),
    )


def _open_folder(path: Path) -> Samples:
    if not path.is_dir():
        raise DatasetError(
            f"{path}: no unlabelled data; give .tar shards, a folder of them, or a folder with images"
        )
    try:
        files = sorted(list_images(path))
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if not files:
        raise DatasetError(f"{path}: no image in it; check the path")
    labels = np.full(len(files), NOBODY, dtype=np.int64)
    return Samples(str(path), labels, [], lambda i: files[i].read_bytes(), lambda i: str(files[i]))
