"""Telling which kind of training source a path is, and opening it."""

import os
from collections.abc import Sequence
from pathlib import Path

from facepipe.datasets.samples.folders import open_folders
from facepipe.datasets.samples.list_file import open_list
from facepipe.datasets.samples.manifest import open_manifest
from facepipe.datasets.samples.recordio import open_recordio
from facepipe.datasets.samples.samples import Samples, join
from facepipe.datasets.samples.shards import open_shards
from facepipe.errors import DatasetError

LISTS = (".txt", ".lst", ".tsv")


def open_samples(paths: Sequence[str | os.PathLike[str]], cut_shards: str = "refuse") -> Samples:
    """Open training sources of any kind and join them.

    A path is a tar shard or a folder of them, a ``.rec`` file or the folder of ``train.rec``, a Parquet
    manifest or its folder, a list file (``.txt``, ``.lst``, ``.tsv``), or a folder of identity folders.
    All tar shards together are one source: a name in two of them is one person. Between other sources, and
    between shards and others, equal names are different people.

    Raises:
        DatasetError: a path is missing or of no known kind, or its source is malformed.
    """
    require_paths(paths)
    shards, others = shards_and_others(paths)
    parts = [open_shards(shards, cut_shards)] if shards else []
    return join(parts + [_open_one(path) for path in others])


def require_paths(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse training data that are not there, without opening them.

    Raises:
        DatasetError: there are no paths, or one is missing.
    """
    if not paths:
        raise DatasetError("no training data: name it with --data PATH or as data.paths in the recipe")
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        raise DatasetError(f"{os.fspath(missing[0])}: no such training data; check the path")


def shards_and_others(paths: Sequence[str | os.PathLike[str]]) -> tuple[list[Path], list[Path]]:
    """All tar shards that the paths mean, and the paths that mean none, each in order."""
    found = [(path, _shards_of(path)) for path in map(Path, paths)]
    return [shard for _, shards in found for shard in shards], [path for path, shards in found if not shards]


def _shards_of(path: Path) -> list[Path]:
    """The tar shards that a path means; none when it is of another kind."""
    if path.is_dir():
        return sorted(path.glob("*.tar"))
    return [path] if path.suffix.lower() == ".tar" and path.exists() else []


def _open_one(path: Path) -> Samples:
    suffix = path.suffix.lower()
    if suffix == ".rec" or (path.is_dir() and (path / "train.rec").exists()):
        return open_recordio(path)
    if suffix == ".parquet" or (path.is_dir() and any(path.glob("*.parquet"))):
        return open_manifest(path)
    if path.is_dir():
        return open_folders(path)
    if suffix in LISTS:
        return open_list(path)
    raise DatasetError(
        f"{path}: no known kind of training data; give identity folders, a list (.txt, .lst, .tsv), .tar "
        "shards, a .rec file or a .parquet manifest"
    )
