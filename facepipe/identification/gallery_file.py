"""Gallery files: embeddings files (Parquet) with paths ``person/image``."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath

from facepipe.embedding import Embeddings, EmbeddingsWriter, load_embeddings, save_embeddings
from facepipe.embedding.origin import Origin
from facepipe.embedding.people import GALLERY_FORM, is_gallery, people_in, people_of
from facepipe.embedding.saved_rows import SavedRows, has_origins
from facepipe.errors import EmbeddingsError
from facepipe.files import UNMARKED, Mark, locked
from facepipe.files.identity import TOP
from facepipe.identification.gallery import Gallery, unique_path
from facepipe.images.formats import EXTENSIONS
from facepipe.parameters import parameter
from facepipe.tables import counted


def save_gallery(path: Path, gallery: Gallery) -> None:
    """Rewrite the whole file atomically: it then holds exactly ``gallery``.

    Images without a face are not stored, not even by name. A new file is readable only by its owner; a replaced
    file keeps its mode, and a link remains a link.
    """
    images = replace(gallery.images, failed=())
    if not gallery.marks:
        save_embeddings(path, images, private=True, gallery=GALLERY_FORM)
        return
    origins = {row: Origin(row, gallery.marks.get(row, UNMARKED)) for row in images.paths}
    about = images.model, images.flip, images.dim
    with EmbeddingsWriter(path, *about, private=True, made={}, gallery=GALLERY_FORM) as writer:
        writer.write(images, origins)


def _marks(path: Path) -> dict[str, Mark]:
    if not has_origins(path):
        return {}
    with closing(SavedRows(path)) as file:
        known = {row: origin.mark for row, origin in file.images.items() if origin.mark != UNMARKED}
        return known if file.about.get("gallery") else {}


def change_gallery(
    path: Path, change: Callable[[Gallery], Gallery], waiting: Callable[[str], None] = lambda _: None
) -> Gallery:
    """Read, change and write a gallery under a lock; returns the written gallery.

    Args:
        path: the gallery file.
        change: current gallery → new gallery.
        waiting: called once if another process has held the lock for a while.

    Raises:
        EmbeddingsError: see `load_gallery`, or raised by ``change``; the file is then unchanged.
    """
    if not path.is_file():
        load_gallery(path)  # raises the right error
    with locked(path, waiting):
        changed = change(load_gallery(path))
        save_gallery(path, changed)
    return changed


def load_gallery(path: Path, identity_depth: int = 1, note: Callable[[str], None] = lambda _: None) -> Gallery:
    """Read a gallery, or any embeddings file of photos in a folder per person.

    Args:
        path: the file.
        identity_depth: which folder level names the person in an embeddings file, see `facepipe.files.identity_of`.
        note: called with a line if other folder levels seem to name the people, or photos are outside people's folders.

    Raises:
        EmbeddingsError: missing, damaged, or a path has no folder.
    """
    if path.is_dir():
        raise EmbeddingsError(f"{path}: a folder of images; create a gallery with 'facepipe gallery build {path} OUT'")
    if not path.exists():
        raise EmbeddingsError(f"{path}: no such file; create a gallery with 'facepipe gallery build DIR {path}'")
    if path.suffix.lower() in EXTENSIONS:
        build = "'facepipe gallery build DIR people.parquet'"
        raise EmbeddingsError(f"{path}: an image, not a gallery; create one from a folder per person with {build}")
    try:
        images = load_embeddings(path)
        named = is_gallery(path)
        if named and identity_depth != TOP:
            note(people_in(path, images, identity_depth)[1])
        known = Gallery(images) if named else _by_person(images, identity_depth, note)
        return replace(known, marks=_marks(path))
    except EmbeddingsError as error:
        raise error if str(error).startswith(f"{path}: ") else EmbeddingsError(f"{path}: {error}") from error


def _by_person(images: Embeddings, identity_depth: int, note: Callable[[str], None]) -> Gallery:
    """A gallery unchanged, or photos at any depth renamed to ``person/image``."""
    if not images.roots and identity_depth == 1 and all(path.count("/") <= 1 for path in images.paths):
        return Gallery(images)
    people, remark = people_of(images, identity_depth)
    kept = images.take([bool(name) for name in people])
    if not len(kept) and len(images):
        raise EmbeddingsError(
            f"it has no photo in a folder at depth {identity_depth}; "
            f"see {parameter('identity_depth')}"
        )
    if len(kept) < len(images):
        note(f"{counted(len(images) - len(kept), 'photo')} not in a folder at depth {identity_depth} left out")
    if remark:
        note(remark)
    taken: dict[str, None] = {}
    for path, name in zip(kept.paths, (name for name in people if name), strict=True):
        taken[unique_path(f"{name}/{PurePosixPath(path).name}", taken)] = None
    return Gallery(replace(kept, paths=tuple(taken), roots=()))
