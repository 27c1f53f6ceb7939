"""Finding image files below folders, and the pages in them."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from facepipe.errors import ImageError
from facepipe.files import FolderError, PassedOver, walk
from facepipe.files.address_path import AddressPath
from facepipe.files.stored import StoredPath
from facepipe.images.formats import EXTENSIONS, KINDS
from facepipe.images.pages import file_and_page
from facepipe.images.reading import know_heif, read_encoded
from facepipe.images.remote import RemotePhoto


def list_images(
    *roots: str | os.PathLike[str], passed: PassedOver | None = None, system: bool = False
) -> Iterator[Path]:
    """Yield the image files under ``roots``, each once, in the order of `facepipe.files.walk`.

    A file yields itself. Hidden names are skipped and counted; images are recognised by extension.

    Args:
        roots: files and folders.
        passed: counts skipped files with the reason.
        system: include system folders (bins, thumbnails).

    Raises:
        ImageError: a root does not exist or cannot be listed.
    """
    for _, path in list_images_by_root(*roots, passed=passed, system=system):
        yield path


def list_images_by_root(
    *roots: str | os.PathLike[str], passed: PassedOver | None = None, system: bool = False
) -> Iterator[tuple[Path, Path]]:
    """`list_images`, each image with the root below which it was found; photos that are not files come first."""
    for root in roots:
        if isinstance(root, StoredPath):
            raise ImageError(f"{root}: only preprocess, embed, detect, align and compare take photos of a store")
    single = [root for root in roots if isinstance(root, RemotePhoto) or file_and_page(Path(root))[1]]
    yield from ((Path(root), Path(root)) if not isinstance(root, RemotePhoto) else (root, root) for root in single)
    roots = tuple(root for root in roots if root not in single)
    if not roots:
        return
    try:
        yield from walk(roots, EXTENSIONS, passed if passed is not None else PassedOver(), KINDS, system)
    except FolderError as error:
        raise ImageError(str(error)) from error


def each_page(path: Path) -> Iterator[Path]:
    """The file itself for its first page, and a name for each further one. An unreadable file counts as one page."""
    yield path
    if not isinstance(path, AddressPath):
        for number in range(2, _count(path) + 1):
            yield path.with_name(f"{path.name}@{number}")


def _count(path: Path) -> int:
    try:
        data = read_encoded(path)
        know_heif(data)
        with Image.open(io.BytesIO(data)) as picture:
            return int(getattr(picture, "n_frames", 1))
    except (ImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1  # reported when it is read
