"""Embeddings to search: an embeddings file in memory, or a memory-mapped copy of one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from facepipe.embedding import Embeddings, iterate_embeddings, load_embeddings
from facepipe.embedding.finding import Finding
from facepipe.embedding.provenance import Provenance
from facepipe.errors import EmbeddingsError
from facepipe.files import Mark, mark_file, replacing
from facepipe.files.fingerprint import compare_mark, digest_of
from facepipe.parameters import parameter
from facepipe.score.cosine import unit

_META, _FORMAT = b"facepipe-store", 1


@dataclass(frozen=True)
class Store:
    """N embeddings of one model, and how they were made.

    Attributes:
        vectors: N×D; float32 as embedded, or float16 unit rows in a memory-mapped file.
        paths: one per row.
        model: identity of the model.
        flip: flip rule.
        unit_rows: whether the rows have unit length up to rounding.
        precision, findings: as in `Embeddings`.
    """

    vectors: np.ndarray
    paths: Sequence[str]
    model: str
    flip: str
    unit_rows: bool
    precision: str = ""
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def provenance(self) -> Provenance:
        """How they were made, apart from model and flip rule."""
        return Provenance(self.precision, self.findings)


def open_store(path: Path) -> Store:
    """Open an embeddings file (read into memory), or its memory-mapped copy from `export_store` (``.npy``).

    Raises:
        EmbeddingsError: the file is missing, damaged, or neither of these.
    """
    if path.suffix != ".npy":
        return store_of(load_embeddings(path))
    metadata, names = read_names(path)
    try:
        # Copy-on-write avoids PyTorch's warning about read-only memory; nothing is ever written.
        vectors = np.load(path, mmap_mode="c")
    except FileNotFoundError as error:
        raise EmbeddingsError(
            f"{path}: no such file; create it from the embeddings file with {parameter('index')}"
        ) from error
    except Exception as error:  # NumPy parses the header as Python, so a damaged one can raise almost anything
        raise EmbeddingsError(f"{path}: not a readable .npy file; delete it and create it again") from error
    if vectors.dtype != np.float16 or vectors.shape != (len(names), metadata["dim"]):
        raise EmbeddingsError(f"{path}: does not belong to {names_file(path).name}; delete it and create it again")
    findings = tuple(metadata.get("findings", ()))
    return Store(vectors, names, metadata["model"], metadata["flip"], True, metadata.get("precision", ""), findings)


def store_of(embeddings: Embeddings) -> Store:
    """A store of embeddings in memory."""
    metadata = embeddings.model, embeddings.flip, False, embeddings.precision, embeddings.findings
    return Store(embeddings.mu, embeddings.paths, *metadata)


def export_store(source: Path, out: Path) -> None:
    """Write the embeddings of a file as ``out``, a NumPy array that can be memory-mapped for search.

    ``out`` holds float16 N×D unit rows, readable by any program; the paths are in an ``.arrow`` file of the same name,
    which is memory-mapped too. Both are written in one pass over the file, batch by batch.

    Raises:
        EmbeddingsError: the file is missing or damaged.
    """
    with replacing(names_file(out)) as names, replacing(out) as vectors:
        _export(source, vectors, names)
        names_file(out).unlink(missing_ok=True)  # the array is replaced first, and old names would not match


def _export(source: Path, vectors: Path, names: Path) -> None:
    batches = iterate_embeddings(source)
    first = next(batches)
    rows = 0
    with vectors.open("wb") as numbers, pa.OSFile(str(names), "wb") as sink:
        _header(numbers, rows, first.dim)
        schema = names_schema(first, source)
        with pa.ipc.new_file(sink, schema) as writer:
            batch: Embeddings | None = first
            while batch is not None:
                numbers.write(unit(batch.mu).astype(np.float16).tobytes())
                writer.write_batch(pa.record_batch([pa.array(batch.paths, pa.string())], schema=schema))
                rows += len(batch)
                batch = next(batches, None)
        numbers.seek(0)
        _header(numbers, rows, first.dim)


def _header(file: Any, rows: int, dim: int) -> None:
    # NumPy pads the header so that the number of rows can be changed in place.
    described = {"descr": "<f2", "fortran_order": False, "shape": (rows, dim)}
    np.lib.format.write_array_header_1_0(file, described)


def names_file(path: Path) -> Path:
    """The file with the paths of an exported store."""
    return path.with_suffix(".arrow")


def names_schema(like: Embeddings, source: Path) -> pa.Schema:
    """One column of paths, and metadata about the embeddings."""
    source_of = source_record(source)
    metadata = {"format": _FORMAT, "model": like.model, "flip": like.flip, "dim": like.dim, "source": source_of}
    metadata |= {"precision": like.precision, "findings": list(like.findings)}
    return pa.schema([("path", pa.string())], metadata={_META: json.dumps(metadata).encode()})


def source_record(source: Path) -> list[Any]:
    """The record of an index's source file: size, modification time in nanoseconds, digest of the contents, path."""
    mark = mark_file(source, digest=True)
    return [mark.size, mark.mtime, mark.digest, str(source.resolve())]


def matches_source(record: list[Any], source: Path) -> bool:
    """Whether ``record`` describes the present contents of ``source``, wherever it is."""
    found = compare_mark(str(source), Mark(*record[:3]), mark_file(source), lambda _: digest_of(source))
    return found != "changed"


def require_same_source(index: Path, record: list[Any], source: Path) -> None:
    """Refuse to rebuild an index from a file other than its source.

    Raises:
        EmbeddingsError: it was built from a file at another path; names both.
    """
    if len(record) > 3 and record[3] != str(source.resolve()):
        raise EmbeddingsError(
            f"{index}: an index of another store, {record[3]}; "
            f"choose another name, or replace it with {parameter('overwrite', True)}"
        )


def is_current(path: Path, source: Path) -> bool:
    """Whether ``path`` was exported from the present contents of ``source``."""
    if not path.is_file() or not names_file(path).is_file():
        return False
    return matches_source(read_names(path)[0]["source"], source)


def read_names(path: Path) -> tuple[dict[str, Any], Sequence[str]]:
    """The metadata of an exported store, and its paths, memory-mapped.

    Raises:
        EmbeddingsError: the ``.arrow`` file is missing or does not belong to a store.
    """
    file = names_file(path)
    try:
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        metadata: dict[str, Any] = json.loads(table.schema.metadata[_META])
        if metadata["format"] != _FORMAT:
            raise EmbeddingsError(f"{file}: written by another version of facepipe; delete it and create it again")
        return metadata, _Names(table.column("path"))
    except FileNotFoundError as error:
        raise EmbeddingsError(f"{path}: its {file.name} is missing; delete it and create it again") from error
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise EmbeddingsError(f"{file}: not the paths of a store; delete it and create it again") from error


class _Names(Sequence[str]):
    """Paths that are read on access."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: Any) -> Any:
        return self._column[row].as_py()
