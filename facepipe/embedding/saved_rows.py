"""Reusing rows of an embeddings file whose images have not changed."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from facepipe.embedding.begun_file import begun_batches
from facepipe.embedding.embeddings import Embeddings, join
from facepipe.embedding.embeddings_file import embeddings_of, read_about
from facepipe.embedding.origin import Origin
from facepipe.errors import EmbeddingsError
from facepipe.files import Mark
from facepipe.files.parquet import DAMAGED_PARQUET, open_parquet, parquet_schema

_ORIGIN_BYTES = 512
"""Memory for what is known of an image."""


@dataclass(frozen=True)
class _Place:
    group: int
    first: int
    count: int
    origin: Origin


class SavedRows:
    """Rows of an embeddings file, for reuse if their images have not changed.

    Attributes:
        made: how the file was made, as given to the `EmbeddingsWriter`.
        about: metadata of the file.
        images: origins of all images, including those without an embedding.
    """

    def __init__(self, path: Path) -> None:
        """Read the list of images; embeddings are read on demand.

        Args:
            path: the file, or the folder of a `facepipe.embedding.begun_file.BegunFile`.

        Raises:
            EmbeddingsError: the file is missing, damaged, or has no origins.
        """
        self._path = path
        try:
            # pre_buffer would keep every row group that was read.
            options: dict[str, Any] = {"page_checksum_verification": True, "pre_buffer": False}
            with ExitStack() as opened:
                source = _Tables(path) if path.is_dir() else open_parquet(path, row_bytes=_ORIGIN_BYTES, **options)
                self._file = opened.enter_context(source)
                self.about = read_about(self._file.schema_arrow, path)
                if not self.about.get("origins"):
                    raise EmbeddingsError(f"{path}: has no record of its images' state")
                self._places = dict(self._read_places())
                self._opened = opened.pop_all()
        except DAMAGED_PARQUET as error:
            raise EmbeddingsError(f"{path}: not a readable embeddings file; create it again") from error
        self.made: dict[str, Any] = self.about.get("made", {})
        self._group: tuple[int, Any] = -1, None

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    @property
    def images(self) -> dict[str, Origin]:
        """Image → its origin."""
        return {image: place.origin for image, place in self._places.items()}

    def rows(self, images: Sequence[str]) -> tuple[Embeddings, dict[str, Origin]]:
        """Embeddings and failures of these images, in order, and path → origin of each row.

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
                raise EmbeddingsError(f"{self._path}: not a readable embeddings file; create it again") from error
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
    """The saved tables of an incomplete file, with the interface of an open `pq.ParquetFile`."""

    def __init__(self, folder: Path) -> None:
        self._tables = list(begun_batches(folder))
        if not self._tables or any(table.schema != self._tables[0].schema for table in self._tables):
            raise EmbeddingsError(f"{folder}: contains nothing usable")
        self.schema_arrow = self._tables[0].schema
        self.num_row_groups = len(self._tables)

    def read_row_group(self, number: int, columns: list[str] | None = None) -> Any:
        table = self._tables[number]
        return table if columns is None else table.select(columns)

    def __enter__(self) -> "_Tables":
        return self

    def __exit__(self, *_: object) -> None:
        self._tables = []


def has_origins(path: Path) -> bool:
    """Whether an embeddings file records the state of its images.

    Raises:
        EmbeddingsError: damaged, or not an embeddings file.
    """
    try:
        return bool(read_about(parquet_schema(path), path).get("origins"))
    except DAMAGED_PARQUET as error:
        raise EmbeddingsError(f"{path}: not a readable embeddings file; create it again") from error
