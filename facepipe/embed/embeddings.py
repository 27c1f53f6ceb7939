"""Embeddings as a value, and the Parquet file they are kept in."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from facepipe.errors import EmbeddingsError
from facepipe.files import replacing

_META = b"facepipe"
_FORMAT = 1


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of N faces by one model.

    Attributes:
        mu: float32 N×D, as the network gives them, flip-fused, not normalised: the direction says who it is,
            and the norm is kept since it says something of the image's quality.
        model: identity of the model, ``name@`` and the first twelve hex digits of its weights' SHA-256.
        flip: how image and mirror image were joined: ``none``, ``sum`` or ``concat``.
        paths: one per row, or empty when the crops came from memory.
        detected: bool N, False where no face was found and the centre of the image stood in.
        failed: paths that gave no embedding, each with its reason.
    """

    mu: np.ndarray
    model: str
    flip: str = "none"
    paths: tuple[str, ...] = ()
    detected: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    failed: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.mu.ndim != 2:
            raise EmbeddingsError(f"embeddings must be N×D, not {self.mu.shape}")
        if self.paths and len(self.paths) != len(self.mu):
            raise EmbeddingsError(f"{len(self.paths)} paths for {len(self.mu)} embeddings")
        if len(self.detected) != len(self.mu):
            object.__setattr__(self, "detected", np.ones(len(self.mu), bool))

    def __len__(self) -> int:
        return len(self.mu)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return int(self.mu.shape[1])

    def with_paths(self, paths: Sequence[str]) -> "Embeddings":
        """The same embeddings under these paths."""
        return replace(self, paths=tuple(paths))

    def row_of(self) -> dict[str, int]:
        """Path to row."""
        return {path: row for row, path in enumerate(self.paths)}


def require_same_model(*several: Embeddings) -> None:
    """Refuse to mix features of different models or flip rules.

    Raises:
        EmbeddingsError: they differ; names both.
    """
    first = several[0]
    for other in several[1:]:
        if (first.model, first.flip, first.dim) != (other.model, other.flip, other.dim):
            raise EmbeddingsError(
                f"embeddings of {first.model} (flip {first.flip}, {first.dim}-d) cannot be compared with those of "
                f"{other.model} (flip {other.flip}, {other.dim}-d); embed both with one model"
            )


def join(several: Sequence[Embeddings]) -> Embeddings:
    """One `Embeddings` of several, in order.

    Raises:
        EmbeddingsError: nothing to join, or the models differ.
    """
    if not several:
        raise EmbeddingsError("no embeddings: none of the images could be read")
    require_same_model(*several)
    return replace(
        several[0],
        mu=np.concatenate([part.mu for part in several]),
        paths=tuple(path for part in several for path in part.paths),
        detected=np.concatenate([part.detected for part in several]),
        failed=tuple(entry for part in several for entry in part.failed),
    )


class EmbeddingsWriter:
    """Writes a Parquet file of embeddings batch by batch, so that memory does not grow with the dataset.

    A context manager: the file appears under its name only when the block ends well. Columns: ``path``,
    ``mu`` (float32 list, null for a failed image), ``detected``, ``error``; the model is in the metadata.
    """

    def __init__(self, path: Path, model: str, flip: str, dim: int) -> None:
        about = json.dumps({"format": _FORMAT, "model": model, "flip": flip, "dim": dim})
        self._schema = pa.schema(_columns(dim), metadata={_META: about.encode()})
        self._path = path
        self._none = Embeddings(np.zeros((0, dim), np.float32), model, flip)

    def __enter__(self) -> "EmbeddingsWriter":
        with ExitStack() as opened:
            temporary = opened.enter_context(replacing(self._path))
            self._file = opened.enter_context(
                pq.ParquetWriter(temporary, self._schema, compression="zstd", write_page_checksum=True)
            )
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    def write(self, batch: Embeddings) -> None:
        """Append the rows of ``batch``, then its failed images.

        Raises:
            EmbeddingsError: the batch is of another model, or its rows have no paths.
        """
        require_same_model(self._none, batch)
        count, failed, dim = len(batch), len(batch.failed), batch.dim
        if len(batch.paths) != count:
            raise EmbeddingsError(f"{self._path}: embeddings need paths to be saved; give them with with_paths()")
        values = np.concatenate([batch.mu.ravel(), np.zeros(failed * dim, np.float32)]).astype(np.float32, copy=False)
        missing = pa.array([False] * count + [True] * failed, pa.bool_())
        mu = pa.FixedSizeListArray.from_arrays(pa.array(values), dim, mask=missing)
        paths = [*batch.paths, *(path for path, _ in batch.failed)]
        columns = [
            pa.array([_utf8(path) for path in paths], pa.string()),
            mu,
            pa.array([*batch.detected.tolist(), *[False] * failed], pa.bool_()),
            pa.array([None] * count + [_utf8(reason) for _, reason in batch.failed], pa.string()),
        ]
        self._file.write_table(pa.table(columns, schema=self._schema))


def _columns(dim: int) -> list[tuple[str, Any]]:
    return [
        ("path", pa.string()),
        ("mu", pa.list_(pa.float32(), dim)),
        ("detected", pa.bool_()),
        ("error", pa.string()),
    ]


def _utf8(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def save_embeddings(path: Path, embeddings: Embeddings) -> None:
    """Write ``embeddings`` to a Parquet file."""
    with EmbeddingsWriter(path, embeddings.model, embeddings.flip, embeddings.dim) as writer:
        writer.write(embeddings)


def load_embeddings(path: Path) -> Embeddings:
    """Read what `save_embeddings` or `EmbeddingsWriter` wrote.

    Raises:
        EmbeddingsError: the file is missing, damaged or no embeddings file.
    """
    try:
        with path.open("rb") as file:
            table = pq.read_table(file, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise EmbeddingsError(f"{path}: no such file; make it with 'facepipe embed IMAGES -o {path}'") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise EmbeddingsError(f"{path}: not a readable embeddings file; make it again") from error
    about = _about(table.schema, path)
    mu = table.column("mu").combine_chunks()
    valid = mu.is_valid().to_numpy(zero_copy_only=False)
    values = mu.flatten().to_numpy(zero_copy_only=False).reshape(-1, about["dim"])
    paths = table.column("path").to_pylist()
    errors = table.column("error").to_pylist()
    return Embeddings(
        mu=np.ascontiguousarray(values, np.float32),
        model=about["model"],
        flip=about["flip"],
        paths=tuple(path for path, good in zip(paths, valid, strict=True) if good),
        detected=table.column("detected").to_numpy()[valid],
        failed=tuple((path, reason) for path, reason in zip(paths, errors, strict=True) if reason is not None),
    )


def _about(schema: pa.Schema, path: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(schema.metadata[_META])
        if about["format"] != _FORMAT:
            raise EmbeddingsError(f"{path}: written by another version of facepipe; embed the images again")
        model, flip, dim = about["model"], about["flip"], about["dim"]
        fits = isinstance(model, str) and isinstance(flip, str) and schema.equals(pa.schema(_columns(dim)))
    # What another program put there may be of any type.
    except (KeyError, TypeError, ValueError) as error:
        raise EmbeddingsError(f"{path}: a Parquet file, but not one that 'facepipe embed' wrote") from error
    if not fits:
        raise EmbeddingsError(f"{path}: not a readable embeddings file: its columns do not fit; make it again")
    return about
