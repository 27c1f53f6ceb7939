"""Updating a job on a rerun: new and changed images are processed, deleted ones dropped, the rest kept."""

import filecmp
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from facepipe.errors import DatasetError
from facepipe.files import Changes, Mark, compare_marks, replacing
from facepipe.files.fingerprint import digest_of, digest_of_bytes
from facepipe.images import StoredPhoto, file_of
from facepipe.parameters import parameter
from facepipe.preprocess.journal import Journal
from facepipe.preprocess.scan import Listed, read_listing

NOTHING = Changes((), (), (), (), ())


@dataclass(frozen=True)
class Records:
    """The record files of a job.

    Attributes:
        images: list of all images.
        todo: list of images to process since the last change; if missing, ``images``.
        kept: records of images done before that.
    """

    images: Path
    todo: Path
    kept: Path

    @property
    def to_do(self) -> Path:
        """The list that is divided into units of work."""
        return self.todo if self.todo.exists() else self.images

    def kept_records(self) -> Iterator[dict[str, Any]]:
        """Records of images that need not be processed again."""
        for _, record in self._placed():
            yield record

    def all_records(self, journal: Journal) -> Iterator[dict[str, Any]]:
        """One record per image, in the order of the list."""
        if not self.kept.exists():
            yield from journal.records()
            return
        with self.records_by_path(journal) as records:
            for image in read_listing(self.images):
                if image.path in records:
                    yield records[image.path]

    @contextmanager
    def records_by_path(self, journal: Journal) -> "Iterator[Mapping[str, dict[str, Any]]]":
        """Path of an image → its record, which is read when it is asked for: all would take gigabytes."""
        with ExitStack() as opened:
            files = [opened.enter_context(path.open("rb")) for path in (self.kept, journal.path) if path.exists()]
            places = {record["path"]: (0, at) for at, record in self._placed()}
            places |= {record["path"]: (len(files) - 1, at) for at, record in journal.placed_records()}
            yield _RecordsByPath(files, places)

    def _placed(self) -> Iterator[tuple[int, dict[str, Any]]]:
        if not self.kept.exists():
            return
        at = 0
        with self.kept.open("rb") as file:
            for line in file:
                yield at, json.loads(line)
                at += len(line)


class _RecordsByPath(Mapping[str, dict[str, Any]]):
    def __init__(self, files: Sequence[BinaryIO], places: Mapping[str, tuple[int, int]]) -> None:
        self._files, self._places = files, places

    def __getitem__(self, path: str) -> dict[str, Any]:
        number, at = self._places[path]
        self._files[number].seek(at)
        record: dict[str, Any] = json.loads(self._files[number].readline())
        return record

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, path: object) -> bool:
        return path in self._places  # without reading it


def update(
    root: Path, out: Path, records: Records, journal: Journal, now_file: Path, allow_changes: bool, verify: bool = False
) -> Changes:
    """Update a job's lists to the current images.

    Can be interrupted anywhere: the next call finds the same changes again.

    Args:
        root, out: raw images and crops.
        records: of the job.
        journal: of the job, open.
        now_file: list of the current images; becomes the job's list.
        verify: compare the contents of all finished images.
        allow_changes: whether the list may change; that of a sharded or packed job may not.

    Raises:
        DatasetError: something changed that must not.
    """
    if not verify and filecmp.cmp(records.images, now_file, shallow=False):
        now_file.unlink()
        return NOTHING
    listed = {image.path: image for image in read_listing(records.images)}
    now = {image.path: image for image in read_listing(now_file)}
    done = {
        record["path"]: Mark(*record["mark"]) if "mark" in record else None
        for record in chain(records.kept_records(), journal.records())
    }
    changes = _changes(root, listed, now, done, verify)
    if not allow_changes:
        now_file.unlink()
        if changes:
            raise DatasetError(
                f"{root}: {changes.line()} since this sharded or packed job was begun; continue without them with "
                f"{parameter('frozen', True)}, or restart the whole job with {parameter('overwrite', True)}"
            )
        return NOTHING
    kept = {path for path in (*changes.same, *changes.touched) if path in done}
    with replacing(records.kept) as temporary, records.records_by_path(journal) as then:
        for path in done.keys() - kept:
            _remove_crops(out, then[path])
        with temporary.open("w", encoding="ascii") as file:
            for path in now:
                if path in kept:
                    file.write(json.dumps(_with_mark(then[path], now[path].mark)) + "\n")
    journal.restart()
    with replacing(records.todo) as temporary, temporary.open("w", encoding="ascii") as file:
        for image in now.values():
            if image.path not in kept:
                file.write(image.to_line())
    now_file.replace(records.images)
    return changes


def _changes(
    root: Path, listed: dict[str, Listed], now: dict[str, Listed], done: Mapping[str, Mark | None], verify: bool
) -> Changes:
    then = {path: image.mark for path, image in listed.items()}
    then |= {path: mark for path, mark in done.items() if mark is not None}
    # Older versions stored no marks: their images count as unchanged.
    then = {path: now[path].mark if mark.size < 0 and path in now else mark for path, mark in then.items()}
    marks = {path: image.mark for path, image in now.items()}

    def contents(path: str) -> str:
        return _digest(now[path].photo(root))

    if verify:
        marks = {
            path: replace(mark, digest=contents(path)) if path in done else mark for path, mark in marks.items()
        }
    found = compare_marks(then, marks, contents)
    # The name of a crop changes once another image with the same stem is in the folder.
    renamed = {path for path in now.keys() & listed.keys() if now[path].crop != listed[path].crop}
    renamed -= set(found.changed)
    return replace(
        found,
        changed=tuple(sorted({*found.changed, *renamed})),
        same=tuple(path for path in found.same if path not in renamed),
        touched=tuple(path for path in found.touched if path not in renamed),
    )


def _digest(photo: Path) -> str:
    return digest_of_bytes(photo.read()) if isinstance(photo, StoredPhoto) else digest_of(file_of(photo))


def _with_mark(record: dict[str, Any], mark: Mark) -> dict[str, Any]:
    digest = record["mark"][2] if "mark" in record else ""
    return record | {"mark": [mark.size, mark.mtime, digest]}


def _remove_crops(out: Path, record: dict[str, Any]) -> None:
    for crop in record["crops"]:
        path = out / crop
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder is not empty
            path.parent.rmdir()
