"""Embeddings to search in: an embeddings file in memory, or a memory-mapped copy of one that needs no memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from facepipe.embedding import Embeddings, iterate_embeddings, load_embeddings
from facepipe.embedding.finding import Finding
from facepipe.embedding.making import Making
from facepipe.errors import EmbeddingsError
from facepipe.files import replacing
from facepipe.parameters import parameter
from facepipe.score.cosine import unit
from facepipe.score.made_from import is_from, made_from

_META, _FORMAT = b"facepipe-store", 1


@dataclass(frozen=True)
class Store:
    """N embeddings of one model, and where they come from.

    Attributes:
        vectors: N×D; float32 as embedded, or float16 of length 1 in a memory-mapped file.
        paths: one per row.
        model: identity of the model.
        flip: flip rule.
        unit_rows: whether the rows have length 1 up to rounding.
        precision, findings: as `Embeddings` record them.
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
    def making(self) -> Making:
        """How they were made, beside model and flip rule."""
        return Making(self.precision, self.findings)


def open_store(path: Path) -> Store:
    """An embeddings file (read whole), or the memory-mapped copy that `export_store` made (``.npy``).

    Raises:
        EmbeddingsError: the file is missing, damaged, or neither of them.
    """
    if path.suffix != ".npy":
        return store_of(load_embeddings(path))
    about, names = read_names(path)
    try:
        # Copy-on-write, which PyTorch takes without a warning; nothing is ever written.
        vectors = np.load(path, mmap_mode="c")
    except FileNotFoundError as error:
        raise EmbeddingsError(
            f"{path}: no such file; "
            f"make it with {parameter('index')} from the embeddings file"
        ) from error
    except Exception as error:  # NumPy reads the header as Python, so a damaged one raises almost anything
        raise EmbeddingsError(f"{path}: not a readable .npy file; delete it and make it again") from error
    if vectors.dtype != np.float16 or vectors.shape != (len(names), about["dim"]):
        raise EmbeddingsError(f"{path}: does not belong to {names_file(path).name}; delete it and make it again")
    findings = tuple(about.get("findings", ()))
    return Store(vectors, names, about["model"], about["flip"], True, about.get("precision", ""), findings)


def store_of(embeddings: Embeddings) -> Store:
    """Embeddings in memory as a store."""
    about = embeddings.model, embeddings.flip, False, embeddings.precision, embeddings.findings
    return Store(embeddings.mu, embeddings.paths, *about)


def export_store(source: Path, out: Path) -> None:
    """Write the embeddings of a file as ``out``, a NumPy array that is memory-mapped when it is searched.

    ``out`` holds float16 N×D of length 1, readable by any program; the paths lie beside it in ``.arrow``, which is
    memory-mapped too. Both are written in one pass over the file, batch by batch.

    Raises:
        EmbeddingsError: the file is missing or damaged.
    """
    with replacing(names_file(out)) as names, replacing(out) as vectors:
        _export(source, vectors, names)
        names_file(out).unlink(missing_ok=True)  # what stands there fits no new array, which gets its name first


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
    # NumPy leaves room in the header for the number of rows to grow.
    described = {"descr": "<f2", "fortran_order": False, "shape": (rows, dim)}
    np.lib.format.write_array_header_1_0(file, described)


def names_file(path: Path) -> Path:
    """Where the paths of an exported store lie."""
    return path.with_suffix(".arrow")


def names_schema(like: Embeddings, source: Path) -> pa.Schema:
    """One column of paths, and in the metadata what they are paths of."""
    about = {"format": _FORMAT, "model": like.model, "flip": like.flip, "dim": like.dim, "source": made_from(source)}
    about |= {"precision": like.precision, "findings": list(like.findings)}
    return pa.schema([("path", pa.string())], metadata={_META: json.dumps(about).encode()})


def is_current(path: Path, source: Path) -> bool:
    """Whether ``path`` was made from ``source`` as it is now."""
    if not path.is_file() or not names_file(path).is_file():
        return False
    return is_from(read_names(path)[0]["source"], source)


def read_names(path: Path) -> tuple[dict[str, Any], Sequence[str]]:
    """What is known of an exported store, and its paths, memory-mapped.

    Raises:
        EmbeddingsError: the ``.arrow`` file is missing or no store's.
    """
    file = names_file(path)
    try:
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        about: dict[str, Any] = json.loads(table.schema.metadata[_META])
        if about["format"] != _FORMAT:
            raise EmbeddingsError(f"{file}: written by another version of facepipe; delete it and make it again")
        return about, _Names(table.column("path"))
    except FileNotFoundError as error:
        raise EmbeddingsError(f"{path}: its {file.name} is missing; delete it and make it again") from error
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise EmbeddingsError(f"{file}: not the paths of a store; delete it and make it again") from error


class _Names(Sequence[str]):
    """Paths that are read when they are asked for."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: Any) -> Any:
        return self._column[row].as_py()
