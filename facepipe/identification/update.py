"""Updating a gallery from the photos it was built from."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facepipe.embedding import Embedder
from facepipe.errors import DatasetError
from facepipe.files import Changes, PassedOver, compare_marks, mark_file
from facepipe.files.fingerprint import digest_of
from facepipe.identification.enrol import enrol_files, stored_paths
from facepipe.identification.gallery import Gallery, Remark, merge
from facepipe.identification.gallery_file import change_gallery, load_gallery
from facepipe.images import file_of
from facepipe.pipeline import Cropper, Read


def update_gallery(
    path: Path,
    roots: Sequence[Path],
    cropper: Cropper,
    embedder: Embedder,
    progress: Callable[[int], None] = lambda _: None,
    passed: PassedOver | None = None,
    read: Read | None = None,
    identity_depth: int = 1,
    verify: bool = False,
    waiting: Callable[[str], None] = lambda _: None,
    pages: bool = False,
) -> tuple[Gallery, list[Remark], Changes]:
    """Embed new and changed photos, and remove deleted ones.

    Photos that were not added by `enrol` with marks are left untouched.

    Args:
        path: the gallery file.
        roots, cropper, embedder, progress, passed, read, identity_depth, pages: as for `enrol`.
        verify: compare the contents of all photos, not only of those whose size or time changed.
        waiting: as for `change_gallery`.

    Returns:
        The gallery as written, remarks on the embedded photos, and the changes. A photo without a face is tried again
        each time and not counted.

    Raises:
        DatasetError: there are no photos at all; the gallery is left unchanged.
    """
    known = load_gallery(path)
    names, on_names = stored_paths(roots, None, PassedOver() if passed is None else passed, identity_depth, pages)
    if not names:
        raise DatasetError(f"{roots[0]}: no images in it, so nothing is removed; check the path, or delete the gallery")
    file_of_stored = {stored: file for file, stored in names.items()}
    now = {stored: mark_file(file_of(file), digest=verify and stored in known.marks) for file, stored in names.items()}
    changes = compare_marks(known.marks, now, lambda stored: digest_of(file_of(file_of_stored[stored])))
    todo = {file_of_stored[stored]: stored for stored in (*changes.new, *changes.changed)}
    made, remarks = enrol_files(todo, cropper, embedder, progress, read, marked=True)
    embedded = set() if made is None else set(made.images.paths)
    gone = {*changes.vanished, *changes.changed}
    times = {stored: now[stored] for stored in changes.touched}

    def change(current: Gallery) -> Gallery:
        remaining = _without(current, gone, {name: mark.mtime for name, mark in times.items()})
        return remaining if made is None else merge([remaining, made])

    both = change_gallery(path, change, waiting)
    counted = replace(changes, new=tuple(name for name in changes.new if name in embedded))
    return both, [*on_names, *remarks], counted


def _without(gallery: Gallery, gone: set[str], times: dict[str, int]) -> Gallery:
    keep = np.array([path not in gone for path in gallery.images.paths], bool)
    left = gallery.images.take(keep)
    marks = {path: mark.at(times[path]) if path in times else mark for path, mark in gallery.marks.items()}
    return Gallery(left, {path: mark for path, mark in marks.items() if path not in gone})
