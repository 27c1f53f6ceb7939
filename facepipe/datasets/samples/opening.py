"""Determine the kind of a training source, and open it."""

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
from facepipe.tables import counted

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
    All tar shards form one source, in which a name is one person. In different sources, equal names are different
    people.

    Args:
        paths: the sources.
        cut_shards: see `open_shards`.
        exclude: names of people to leave out of every source; the notes say which of them were found.
        identity_depth: the folder level that names the identity, in folders and lists of paths, see `open_folders`.

    Raises:
        DatasetError: a path is missing or of unknown kind, its source is malformed, or no identity is left.
    """
    require_paths(paths)
    shards, others = shards_and_others(paths)
    parts = [open_shards(shards, cut_shards)] if shards else []
    parts += [_open_one(path, identity_depth) for path in others]
    return join_samples(parts) if not exclude else _without(parts, exclude)


def _without(parts: Sequence[Samples], exclude: Collection[str]) -> Samples:
    """Join the parts without the excluded people; before joining, since that may prefix names with a number."""
    matches = [match_names(exclude, part.identities) for part in parts]
    kept = [
        leave_out(part, exclude)
        for part, match in zip(parts, matches, strict=True)
        if len(match.names) < len(part.identities)
    ]
    if not kept:
        raise DatasetError(f"{parts[0].where}: data.exclude leaves no identity")
    people = sum(len(match.names) for match in matches)
    images = sum(map(len, parts)) - sum(map(len, kept))
    notes = [f"data.exclude: {counted(people, 'identity')} with {counted(images, 'image')} left out"]
    unmatched = [name for name in exclude if not any(name in match.found for match in matches)]
    if unmatched:
        notes.append(f"data.exclude: not found: {', '.join(unmatched[:5])}" + (" ..." if unmatched[5:] else ""))
    other = sorted({name for match in matches for name in match.other_form})
    if other:
        notes.append(f"data.exclude: found in another Unicode normalisation: {', '.join(other[:5])}")
    joined = join_samples(kept)
    return replace(joined, notes=(*joined.notes, *notes))


def require_paths(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Check that training data exist, without opening them.

    Raises:
        DatasetError: there are no paths, or one does not exist.
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
    """All tar shards at the paths, and the paths without shards, each in order."""
    found = [(path, _shards_of(path)) for path in map(as_path, paths)]
    return [shard for _, shards in found for shard in shards], [path for path, shards in found if not shards]


def _shards_of(path: Path) -> list[Path]:
    """The tar shards at a path; none if it is of another kind."""
    if isinstance(path, StoredPath):
        return [file for file, _ in path.files() if file.suffix.lower() == ".tar"]
    if path.is_dir():
        return sorted(path.glob("*.tar"))
    return [path] if path.suffix.lower() == ".tar" and path.exists() else []


def _open_one(path: Path, identity_depth: int) -> Samples:
    if isinstance(path, StoredPath):
        raise DatasetError(f"{path}: no tar shards; other kinds of training data must be on this machine")
    suffix = path.suffix.lower()
    if suffix == ".rec" or (path.is_dir() and (path / "train.rec").exists()):
        return open_recordio(path)
    if suffix == ".parquet" or (path.is_dir() and any(path.glob("*.parquet"))):
        return open_manifest(path)
    if path.is_dir():
        return open_folders(path, identity_depth)
    if suffix in LISTS:
        return open_list(path, identity_depth)
    raise DatasetError(
        f"{path}: unknown kind of training data; give identity folders, a list (.txt, .lst, .tsv), .tar "
        "shards, a .rec file or a .parquet manifest"
    )
