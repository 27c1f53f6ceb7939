"""Finding image files below folders."""

import os
from collections.abc import Iterator
from pathlib import Path

from facepipe.errors import ImageError
from facepipe.files import FolderError, PassedOver, walk
from facepipe.files.stored import StoredPath
from facepipe.images.formats import EXTENSIONS, KINDS
from facepipe.images.page_name import file_and_page
from facepipe.images.remote import RemotePhoto


def list_images(
    *roots: str | os.PathLike[str], passed: PassedOver | None = None, system: bool = False
) -> Iterator[Path]:
    """Yield the image files under ``roots``, each once; `facepipe.files.walk` says in which order.

    A file yields itself. Hidden names are passed over and counted; what is an image goes by the extension.

    Args:
        roots: files and folders.
        passed: counts what is left out and why.
        system: look into system folders (bins, thumbnails) as well.

    Raises:
        ImageError: a root does not exist or cannot be listed.
    """
    for _, path in list_images_by_root(*roots, passed=passed, system=system):
        yield path


def list_images_by_root(
    *roots: str | os.PathLike[str], passed: PassedOver | None = None, system: bool = False
) -> Iterator[tuple[Path, Path]]:
    """`list_images`, each image with the root below which it was found; those that are no files come first."""
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
