"""Telling which kind of training source a path is, and opening it."""

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from facepipe.datasets.samples.folders import open_folders
from facepipe.datasets.samples.list_file import open_list
from facepipe.datasets.samples.manifest import open_manifest
from facepipe.datasets.samples.recordio import open_recordio
from facepipe.datasets.samples.samples import Samples, join_samples
from facepipe.datasets.samples.shards import open_shards
from facepipe.datasets.samples.splits import leave_out
from facepipe.errors import DatasetError
from facepipe.files import match_names
from facepipe.files.stored import StoredPath, as_path
from facepipe.parameters import parameter

LISTS = (".txt", ".lst", ".tsv")


def open_samples(
    paths: Sequence[str | os.PathLike[str]],
    cut_shards: str = "refuse",
    exclude: Collection[str] = (),
    identity_depth: int = 1,
) -> Samples:
    """Open training sources of any kind and join them.

    A path is a tar shard or a folder of them, a ``.rec`` file or the folder of ``train.rec``, a Parquet
    manifest or its folder, a list file (``.txt``, ``.lst``, ``.tsv``), or a folder of identity folders.
    All tar shards together are one source: a name in two of them is one person. Between other sources, and
    between shards and others, equal names are different people.

    Args:
        paths: of the sources.
        cut_shards: see `open_shards`.
        exclude: names of people who are left out of every source; the notes say whom they matched, and whom not.
        identity_depth: which folder stands for the person, in folders of images, see `open_folders`.

    Raises:
        DatasetError: a path is missing or of no known kind, its source is malformed, or nobody is left.
    """
    require_paths(paths)
    shards, others = shards_and_others(paths)
    parts = [open_shards(shards, cut_shards)] if shards else []
    parts += [_open_one(path, identity_depth) for path in others]
    return join_samples(parts) if not exclude else _without(parts, exclude)


def _without(parts: Sequence[Samples], exclude: Collection[str]) -> Samples:
    """The parts joined, each without the people called so: once joined, a name may have a number before it."""
    matches = [match_names(exclude, part.identities) for part in parts]
    kept = [
        leave_out(part, exclude)
        for part, match in zip(parts, matches, strict=True)
        if len(match.names) < len(part.identities)
    ]
    if not kept:
        raise DatasetError(f"{parts[0].where}: data.exclude leaves nobody")
    people = sum(len(match.names) for match in matches)
    images = sum(map(len, parts)) - sum(map(len, kept))
    notes = [f"data.exclude: {people} identit{'y' if people == 1 else 'ies'} with {images} image(s) left out"]
    nobody = [name for name in exclude if not any(name in match.found for match in matches)]
    if nobody:
        notes.append(f"data.exclude: nobody is called {', '.join(nobody[:5])}" + (" ..." if nobody[5:] else ""))
    other = sorted({name for match in matches for name in match.other_form})
    if other:
        notes.append(f"data.exclude: found in another form of Unicode: {', '.join(other[:5])}")
    joined = join_samples(kept)
    return replace(joined, notes=(*joined.notes, *notes))


def require_paths(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse training data that are not there, without opening them.

    Raises:
        DatasetError: there are no paths, or one is missing.
    """
    if not paths:
        raise DatasetError(
            f"no training data: name it with {parameter('paths', option='data')} or as data.paths in "
            f"the recipe"
        )
    missing = [path for path in paths if not as_path(path).exists()]
    if missing:
        raise DatasetError(f"{os.fspath(missing[0])}: no such training data; check the path")


def shards_and_others(paths: Sequence[str | os.PathLike[str]]) -> tuple[list[Path], list[Path]]:
    """All tar shards that the paths mean, and the paths that mean none, each in order."""
    found = [(path, _shards_of(path)) for path in map(as_path, paths)]
    return [shard for _, shards in found for shard in shards], [path for path, shards in found if not shards]


def _shards_of(path: Path) -> list[Path]:
    """The tar shards that a path means; none when it is of another kind."""
    if isinstance(path, StoredPath):
        return [file for file, _ in path.files() if file.suffix.lower() == ".tar"]
    if path.is_dir():
        return sorted(path.glob("*.tar"))
    return [path] if path.suffix.lower() == ".tar" and path.exists() else []


def _open_one(path: Path, identity_depth: int) -> Samples:
    if isinstance(path, StoredPath):
        raise DatasetError(f"{path}: no tar shards there; training data of other kinds are read from this machine only")
    suffix = path.suffix.lower()
    if suffix == ".rec" or (path.is_dir() and (path / "train.rec").exists()):
        return open_recordio(path)
    if suffix == ".parquet" or (path.is_dir() and any(path.glob("*.parquet"))):
        return open_manifest(path)
    if path.is_dir():
        return open_folders(path, identity_depth)
    if suffix in LISTS:
        return open_list(path)
    raise DatasetError(
        f"{path}: no known kind of training data; give identity folders, a list (.txt, .lst, .tsv), .tar "
        "shards, a .rec file or a .parquet manifest"
    )
