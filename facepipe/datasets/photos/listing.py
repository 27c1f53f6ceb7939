"""List the photos at a path or address of any kind."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from facepipe.datasets.photos.shard_members import shard_photos
from facepipe.errors import DatasetError
from facepipe.files import PassedOver
from facepipe.files.stored import StoredPath
from facepipe.images import Place, StoredPhoto, is_collection, list_images_by_root
from facepipe.images.formats import EXTENSIONS
from facepipe.images.stored_photo import SHARD, TABLE


def list_photos_by_root(*roots: Path, passed: PassedOver) -> Iterator[tuple[Path, Path]]:
    """As `facepipe.images.list_images_by_root`, with collections, whose photos come first, in the order of the roots.

    Raises:
        ImageError, DatasetError: a root does not exist, cannot be listed or has no photos.
    """
    files = []
    for root in roots:
        if is_collection(root):
            yield from ((root, photo) for photo in list_collection(root, passed))
        else:
            files.append(root)
    if files:
        yield from list_images_by_root(*files, passed=passed)


def list_collection(root: Path, passed: PassedOver) -> Iterator[StoredPhoto]:
    """The photos of a collection, grouped by folder (or person) and file.

    In a store, a folder stands for the shards or Parquet files in it, else for the images below it. A photo of a shard
    is in a folder named after its identity, if it has one; with several shards, names are prefixed with the shard's.

    Raises:
        DatasetError: a file is missing or damaged.
        StoreError: the store cannot be reached.
    """
    files = _files(root)
    shards = [file for file, _ in files if file.suffix.lower() == SHARD]
    tables = [file for file, _ in files if file.suffix.lower() == TABLE and not _is_manifest(file)]
    tables = [] if shards else tables
    if not shards and not tables:
        yield from _images(root, files, passed)
        return
    for file in shards:
        yield from shard_photos(file, root, _front(file, shards), passed)
    if tables:
        from facepipe.datasets.photos.parquet_rows import parquet_photos  # slow to import

    for file in tables:
        yield from parquet_photos(file, root, _front(file, tables), passed)
    _count_others(files, {*shards, *tables}, passed)


def _is_manifest(file: Path) -> bool:
    return file.name.startswith("manifest")


def _front(file: Path, files: Sequence[Path]) -> str:
    return f"{file.stem}-" if len(files) > 1 else ""


def _files(root: Path) -> Sequence[tuple[Path, int]]:
    if not isinstance(root, StoredPath):
        return [(root, root.stat().st_size)]
    found = [(file, size) for file, size in root.files() if not file.name.startswith(".")]
    if not found:
        raise DatasetError(f"{root}: no files; check the address")
    return found


def _images(root: Path, files: Sequence[tuple[Path, int]], passed: PassedOver) -> Iterator[StoredPhoto]:
    images = [(file, size) for file, size in files if file.suffix.lower() in EXTENSIONS]
    for file, size in sorted(images, key=lambda found: (str(found[0]).rpartition("/")[0], str(found[0]))):
        yield StoredPhoto(*_below(root, file), Place(str(file), 0, size))
    _count_others(files, {file for file, _ in images}, passed)


def _below(root: Path, file: Path) -> tuple[str, str]:
    """The given root and the path below it; for a file given itself, its folder and name."""
    start = str(root).rstrip("/")
    if str(file) == start:
        folder, _, name = start.rpartition("/")
        return folder, name
    return start, str(file).removeprefix(f"{start}/")


def _count_others(files: Sequence[tuple[Path, int]], taken: set[Path], passed: PassedOver) -> None:
    for file, _ in files:
        if file not in taken:
            passed.add("other file", file)
