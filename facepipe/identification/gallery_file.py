"""Galleries as files: embeddings files (Parquet) whose paths are ``person/image``."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath

from facepipe.embedding import Embeddings, EmbeddingsWriter, load_embeddings, save_embeddings
from facepipe.embedding.origin import Origin
from facepipe.embedding.origins import MadeBefore, has_origins
from facepipe.embedding.people import GALLERY_FORM, is_gallery, people_in, people_of
from facepipe.errors import EmbeddingsError
from facepipe.files import UNMARKED, Mark, locked
from facepipe.files.identity import TOP
from facepipe.identification.gallery import Gallery, apart
from facepipe.images.formats import EXTENSIONS
from facepipe.parameters import parameter
from facepipe.tables import counted


def save_gallery(path: Path, gallery: Gallery) -> None:
    """Write the whole file anew, atomically: what is not in ``gallery`` is not in the file afterwards.

    Images that gave no face are not kept, not even by name. A new file may be read by its owner alone; one that is
    replaced keeps its mode, and a link stays a link.
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
    with closing(MadeBefore(path)) as file:
        known = {row: origin.mark for row, origin in file.images.items() if origin.mark != UNMARKED}
        return known if file.about.get("gallery") else {}


def change_gallery(
    path: Path, change: Callable[[Gallery], Gallery], waiting: Callable[[str], None] = lambda _: None
) -> Gallery:
    """Read, change and write a gallery while no other process does so; returns what was written.

    Args:
        path: of the gallery.
        change: is given what the file holds now, and returns what it shall hold.
        waiting: is told once when another process has kept the file for a while.

    Raises:
        EmbeddingsError: as `load_gallery`, or what ``change`` raises; then the file stays as it was.
    """
    if not path.is_file():
        load_gallery(path)  # says what it is instead
    with locked(path, waiting):
        changed = change(load_gallery(path))
        save_gallery(path, changed)
    return changed


def load_gallery(path: Path, identity_depth: int = 1, tell: Callable[[str], None] = lambda _: None) -> Gallery:
    """Read a gallery, or any embeddings file with a folder per person.

    Args:
        path: of the file.
        identity_depth: which folder stands for the person in an embeddings file, see `facepipe.files.identity_of`.
        tell: is given a line where folders look as if others stood for the people, or photos lie in none.

    Raises:
        EmbeddingsError: missing, damaged, or a path in it has no folder.
    """
    if path.is_dir():
        raise EmbeddingsError(f"{path}: a folder of images; make a gallery with 'facepipe gallery build {path} OUT'")
    if not path.exists():
        raise EmbeddingsError(f"{path}: no such file; make a gallery with 'facepipe gallery build DIR {path}'")
    if path.suffix.lower() in EXTENSIONS:
        made = "'facepipe gallery build DIR people.parquet'"
        raise EmbeddingsError(f"{path}: a picture, and no gallery; make one of a folder for each person with {made}")
    try:
        images = load_embeddings(path)
        named = is_gallery(path)
        if named and identity_depth != TOP:
            tell(people_in(path, images, identity_depth)[1])
        known = Gallery(images) if named else _by_person(images, identity_depth, tell)
        return replace(known, marks=_marks(path))
    except EmbeddingsError as error:
        raise error if str(error).startswith(f"{path}: ") else EmbeddingsError(f"{path}: {error}") from error


def _by_person(images: Embeddings, identity_depth: int, tell: Callable[[str], None]) -> Gallery:
    """A gallery as it is, and of photos at any depth each under ``person/image``."""
    if not images.roots and identity_depth == 1 and all(path.count("/") <= 1 for path in images.paths):
        return Gallery(images)
    people, remark = people_of(images, identity_depth)
    kept = images.take([bool(name) for name in people])
    if not len(kept) and len(images):
        raise EmbeddingsError(
            f"no photo in it lies in a folder {identity_depth} deep; "
            f"see {parameter('identity_depth')}"
        )
    if len(kept) < len(images):
        tell(f"{counted(len(images) - len(kept), 'photo')} in no folder {identity_depth} deep left out")
    if remark:
        tell(remark)
    taken: dict[str, None] = {}
    for path, name in zip(kept.paths, (name for name in people if name), strict=True):
        taken[apart(f"{name}/{PurePosixPath(path).name}", taken)] = None
    return Gallery(replace(kept, paths=tuple(taken), roots=()))
