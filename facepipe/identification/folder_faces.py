"""A cache of the embedded faces of a folder of photos: only new and changed photos are embedded again."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.embedding import Embedder, Embeddings, join, load_embeddings, save_embeddings
from facepipe.errors import EmbeddingsError
from facepipe.files import Changes, Mark, compare_marks, locked, mark_file, write_text
from facepipe.files.fingerprint import digest_of, digest_of_bytes
from facepipe.images import Picture, read_encoded, read_image
from facepipe.pipeline import Cropper, ReadImage, embed_batch, read_batches
from facepipe.weights import cache_folder

_FORMAT = 1
_KEY = 20


@dataclass(frozen=True)
class FolderFaces:
    """The faces of a folder.

    Attributes:
        faces: paths relative to the folder; all but the best face of a photo end in ``#`` and a number.
            Unreadable photos and photos without a face are in ``failed``.
        photos: number of photos.
        changes: since the last call.
        place: the cache file of the faces, readable only by its owner.
    """

    faces: Embeddings
    photos: int
    changes: Changes
    place: Path


def place_of(folder: Path, cropper: Cropper, embedder: Embedder, strict: bool = False) -> Path:
    """The cache file of a folder's faces, one per model and detector settings."""
    made = [
        str(folder.resolve()),
        embedder.model.identity,
        embedder.flip,
        embedder.precision,
        *cropper.findings,
        strict,
        _FORMAT,
    ]
    key = hashlib.blake2b(json.dumps(made, sort_keys=True).encode()).hexdigest()[:_KEY]
    return cache_folder() / "folders" / f"{key}.parquet"


def forget(folder: Path) -> int:
    """Remove all cache files of a folder, of all models; returns the number of files of faces."""
    removed = 0
    for about in (cache_folder() / "folders").glob("*.json"):
        if _read_json(about).get("folder") == str(folder.resolve()):
            about.with_suffix(".parquet").unlink(missing_ok=True)
            about.unlink()
            removed += 1
    return removed


def folder_faces(
    folder: Path,
    photos: Iterable[Path],
    cropper: Cropper,
    embedder: Embedder,
    begun: Callable[[int, int], None] = lambda _total, _done: None,
    advance: Callable[[int], None] = lambda _: None,
    see: Callable[[ReadImage], None] = lambda _: None,
    strict: bool = False,
    verify: bool = False,
) -> FolderFaces:
    """Embed the faces of a folder that are not yet in the cache.

    After an interruption, finished faces are kept and the next call resumes from there.

    Args:
        folder: folder with photos, possibly in subfolders.
        photos: the photos to use, below ``folder``.
        cropper: crops all faces for the model.
        embedder: of the model.
        begun: called with the number of photos, and of those already embedded.
        advance: called with the number of photos finished in each batch.
        see: called with every photo that is read.
        strict: reject photos with damaged data.
        verify: compare the contents of all photos, not only of those whose size or time changed.

    Raises:
        OSError: the cache cannot be written.
    """
    place = place_of(folder, cropper, embedder, strict)
    listed = {path.relative_to(folder).as_posix(): path for path in photos}
    now = {name: _mark(path, verify) for name, path in listed.items()}
    with locked(place):
        before, marks = _load(place)
        changes = compare_marks(marks, now, lambda name: digest_of(listed[name]))
        known = {*changes.same, *changes.touched}
        kept = [] if before is None else [_only(before, known)]
        done = {name: replace(now[name], digest=marks[name].digest) for name in known}
        begun(len(listed), len(done))
        reader = _Reader(strict)
        new = [path for name, path in listed.items() if name not in known]
        try:
            for batch in read_batches(new, read=reader):
                kept.append(embed_batch(batch, cropper, embedder, lambda path: path.relative_to(folder).as_posix()))
                for image in batch:
                    name = image.path.relative_to(folder).as_posix()
                    done[name] = replace(now[name], digest=reader.digests.get(image.path, ""))
                    see(image)
                advance(len(batch))
        finally:
            faces = _joined(kept, embedder)
            if changes or changes.touched:
                save_embeddings(place, faces, private=True)
                about = {"folder": str(folder.resolve()), "marks": {name: asdict(mark) for name, mark in done.items()}}
                write_text(place.with_suffix(".json"), json.dumps(about) + "\n", private=True)
    return FolderFaces(faces, len(listed), changes, place)


def photo_of(path: str) -> tuple[str, int]:
    """The photo of a face in `FolderFaces`, and the number of the face in it, from 1, best first."""
    name, hash_, number = path.rpartition("#")
    return (name, int(number) + 1) if hash_ and number.isdecimal() else (path, 1)


class _Reader:
    """Reads photos and stores a digest of each."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.digests: dict[Path, str] = {}

    def __call__(self, path: Path, max_pixels: int) -> Picture:
        data = read_encoded(path)
        self.digests[path] = digest_of_bytes(data)
        return read_image(data, max_pixels, str(path), strict=self.strict)


def _mark(path: Path, digest: bool) -> Mark:
    try:
        return mark_file(path, digest)
    except OSError:  # deleted since it was listed: reading it reports the error
        return Mark(-1, -1)


def _load(place: Path) -> tuple[Embeddings | None, dict[str, Mark]]:
    """The cached faces and marks; nothing if either file is missing or damaged."""
    try:
        faces = load_embeddings(place)
        marks = {name: Mark(**mark) for name, mark in _read_json(place.with_suffix(".json"))["marks"].items()}
    except (EmbeddingsError, KeyError, TypeError, AttributeError):
        return None, {}
    return faces, marks


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _only(faces: Embeddings, known: set[str]) -> Embeddings:
    rows = [row for row, path in enumerate(faces.paths) if photo_of(path)[0] in known]
    failed = tuple((name, reason) for name, reason in faces.failed if name in known)
    return replace(faces.take(rows), failed=failed)


def _joined(parts: list[Embeddings], embedder: Embedder) -> Embeddings:
    if parts:
        return join(parts)
    empty = np.zeros((0, *embedder.size, 3), np.uint8)
    return replace(embedder(empty), paths=(), detection_score=np.zeros(0, np.float32))
