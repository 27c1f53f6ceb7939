"""Which image each row of an embeddings file came from, and what the image was like then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from facepipe.embedding.begun_file import begun_batches
from facepipe.embedding.embeddings import Embeddings, join
from facepipe.embedding.embeddings_file import embeddings_of, read_about
from facepipe.embedding.origin import Origin
from facepipe.errors import EmbeddingsError
from facepipe.files import Mark
from facepipe.files.parquet import DAMAGED_PARQUET


@dataclass(frozen=True)
class _Place:
    group: int
    first: int
    count: int
    origin: Origin


class MadeBefore:
    """Rows of an embeddings file, to be taken over where their images are what they were.

    Attributes:
        made: how the file was made, as it was given to the `EmbeddingsWriter`.
        about: what the file says of itself.
        images: of all images, whether they gave an embedding or not.
    """

    def __init__(self, path: Path) -> None:
        """Read which images there are; embeddings are read when they are asked for.

        Args:
            path: of the file, or of the folder of a `facepipe.embedding.begun_file.BegunFile`.

        Raises:
            EmbeddingsError: missing, damaged, or a file without origins.
        """
        self._path = path
        try:
            self._file = _Tables(path) if path.is_dir() else pq.ParquetFile(path, page_checksum_verification=True)
            self.about = read_about(self._file.schema_arrow, path)
            if not self.about.get("origins"):
                raise EmbeddingsError(f"{path}: does not say what its images were like")
            self._places = dict(self._read_places())
        except DAMAGED_PARQUET as error:
            raise EmbeddingsError(f"{path}: not a readable embeddings file; make it again") from error
        self.made: dict[str, Any] = self.about.get("made", {})
        self._group: tuple[int, Any] = -1, None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def images(self) -> dict[str, Origin]:
        """Image → its origin."""
        return {image: place.origin for image, place in self._places.items()}

    def rows(self, images: Sequence[str]) -> tuple[Embeddings, dict[str, Origin]]:
        """Embeddings and failures of these images, in order, and the origin of each row by its path.

        Raises:
            EmbeddingsError: the file is damaged.
        """
        parts: list[Embeddings] = []
        origins: dict[str, Origin] = {}
        for image in images:
            place = self._places[image]
            part = embeddings_of(self._table(place.group).slice(place.first, place.count), self.about, self._path)
            parts.append(part)
            origins |= dict.fromkeys([*part.paths, *(path for path, _ in part.failed)], place.origin)
        return join(parts), origins

    def _table(self, number: int) -> Any:
        if self._group[0] != number:
            try:
                self._group = number, self._file.read_row_group(number)
            except DAMAGED_PARQUET as error:
                raise EmbeddingsError(f"{self._path}: not a readable embeddings file; make it again") from error
        return self._group[1]

    def _read_places(self) -> Iterator[tuple[str, _Place]]:
        for number in range(self._file.num_row_groups):
            table = self._file.read_row_group(number, ["origin"])
            first = 0
            for image, rows in groupby(table.column("origin").to_pylist(), key=lambda row: row["image"]):
                values = list(rows)
                mark = Mark(values[0]["size"], values[0]["mtime"], values[0]["digest"])
                yield image, _Place(number, first, len(values), Origin(image, mark, tuple(values[0]["remarks"])))
                first += len(values)


class _Tables:
    """What was kept of a file that is not finished, as a file of Parquet would give it."""

    def __init__(self, folder: Path) -> None:
        self._tables = list(begun_batches(folder))
        if not self._tables or any(table.schema != self._tables[0].schema for table in self._tables):
            raise EmbeddingsError(f"{folder}: nothing in it that can be used")
        self.schema_arrow = self._tables[0].schema
        self.num_row_groups = len(self._tables)

    def read_row_group(self, number: int, columns: list[str] | None = None) -> Any:
        table = self._tables[number]
        return table if columns is None else table.select(columns)

    def close(self) -> None:
        self._tables = []


def has_origins(path: Path) -> bool:
    """Whether an embeddings file says what its images were like.

    Raises:
        EmbeddingsError: damaged, or no embeddings file.
    """
    try:
        return bool(read_about(pq.read_schema(path), path).get("origins"))
    except DAMAGED_PARQUET as error:
        raise EmbeddingsError(f"{path}: not a readable embeddings file; make it again") from error


def origins_of(batch: Embeddings, known: Mapping[str, Origin]) -> dict[str, Origin]:
    """Path of each row and failure of a batch → its origin.

    Args:
        batch: of these images; a second face of one has ``#1`` behind its path, and so on.
        known: path of an image → its origin; of these images and perhaps of others.
    """
    found = {}
    last = ""
    for path in batch.paths:
        last = path if path in known and not path.startswith(f"{last}#") else last or path
        found[path] = known[last]
    return found | {path: known[path] for path, _ in batch.failed}
