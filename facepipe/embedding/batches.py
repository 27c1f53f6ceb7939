"""Reading an embeddings file, whole or in batches for files larger than memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from facepipe.embedding.embeddings import Embeddings, join
from facepipe.embedding.embeddings_file import embeddings_of, read_about
from facepipe.errors import EmbeddingsError
from facepipe.files.parquet import DAMAGED_PARQUET, open_parquet

_PAGES, _ROWS, _NUMBERS = 1 << 20, 16_384, 1 << 25


def load_embeddings(path: Path) -> Embeddings:
    """Read a file written by `save_embeddings` or `EmbeddingsWriter`, using little more memory than the embeddings.

    Raises:
        EmbeddingsError: the file is missing, damaged or not an embeddings file.
    """
    batches = iterate_embeddings(path, _ROWS)
    first = next(batches)
    try:
        mu = np.empty((_count(path), first.dim), np.float32)
    except MemoryError as error:
        raise EmbeddingsError(f"{path}: its embeddings need more memory than there is") from error
    mu[: len(first)] = first.mu
    done, parts = len(first), [_without_mu(first)]
    for part in batches:
        mu[done : done + len(part)] = part.mu
        done += len(part)
        parts.append(_without_mu(part))
    # Otherwise Arrow keeps its buffers, doubling the memory use.
    pa.default_memory_pool().release_unused()
    return replace(join(parts), mu=mu[:done])


def _count(path: Path) -> int:
    with open_parquet(path, columns=()) as file:
        return int(file.metadata.num_rows)


def _without_mu(part: Embeddings) -> Embeddings:
    """The rows with a ``mu`` of zero columns."""
    return replace(part, mu=np.empty((len(part), 0), np.float32))


def iterate_embeddings(path: Path, rows: int = 65_536) -> Iterator[Embeddings]:
    """Like `load_embeddings`, in batches of at most ``rows`` images; at least one batch, which may be empty.

    Raises:
        EmbeddingsError: the file is missing, damaged or not an embeddings file.
    """
    try:
        # pre_buffer, the default in newer versions of Arrow, would keep all that was read until the file is closed.
        options: dict[str, Any] = {"page_checksum_verification": True, "buffer_size": _PAGES, "pre_buffer": False}
        with open_parquet(path, in_batches=True, **options) as file:
            about = read_about(file.schema_arrow, path)
            rows = max(1, min(rows, _NUMBERS // max(1, about["dim"])))
            if file.metadata.num_rows == 0:
                yield embeddings_of(file.read(), about, path)
            for batch in file.iter_batches(rows):
                yield embeddings_of(pa.Table.from_batches([batch]), about, path)
    except FileNotFoundError as error:
        raise EmbeddingsError(f"{path}: no such file; make it with 'facepipe embed IMAGES -o {path}'") from error
    except DAMAGED_PARQUET as error:
        raise EmbeddingsError(f"{path}: not a readable embeddings file; create it again") from error
