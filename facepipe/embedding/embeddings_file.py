"""The Parquet file format of embeddings."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from facepipe.detection import with_present_names
from facepipe.embedding.begun_file import BegunFile
from facepipe.embedding.embeddings import OPTIONAL, Embeddings, require_same_fields, require_same_model
from facepipe.embedding.finding import is_finding
from facepipe.embedding.origin import Origin
from facepipe.errors import EmbeddingsError
from facepipe.files import replacing
from facepipe.files.parquet import DAMAGED_PARQUET
from facepipe.tables import counted

_META = b"facepipe"
_ORIGIN = pa.struct(
    [
        ("image", pa.string()),
        ("size", pa.int64()),
        ("mtime", pa.int64()),
        ("digest", pa.string()),
        ("remarks", pa.list_(pa.string())),
    ]
)
_FORMAT, _WITH_ORIGINS, _READABLE = 2, 3, (1, 2, 3)  # format 1 had only mu
_GROUP = 1024
"""Rows of a row group: small ones make a file larger and slower to read."""
_REPEATED = ["error"]
"""Columns whose values repeat; dictionaries of the others would only add to the file."""


class EmbeddingsWriter:
    """Writes a Parquet file of embeddings batch by batch, with memory use independent of the dataset's size.

    A context manager: the file appears under its name only if the block succeeds. Columns: ``path``,
    ``mu`` (float32 list), ``detected``, ``error``, and those of ``kappa``, ``sigma2`` and ``detection_score``
    present in the first batch; for a failed image they are null. Model, precision and how faces were found are in the
    metadata.

    Args:
        path: of the file.
        model, flip, dim: of the embeddings.
        private: make the file readable only by its owner.
        begun: also saves what is written, until the file is complete.
        gallery: gallery format version, noted in a private file.
        roots: embedded files and folders.
        made: how the embeddings are made, plain JSON values for the metadata. Adds a column ``origin``:
            image, size, mtime, digest and remarks.
    """

    def __init__(
        self,
        path: Path,
        model: str,
        flip: str,
        dim: int,
        private: bool = False,
        roots: Sequence[str | os.PathLike[str]] = (),
        made: Mapping[str, Any] | None = None,
        gallery: int = 1,
        begun: BegunFile | None = None,
    ) -> None:
        self._path, self._private, self._made, self._gallery = path, private, made, gallery
        self._begun = begun
        self._roots = [_utf8(os.fspath(root)) for root in roots]
        self._rows = 0
        self._waiting: list[pa.Table] = []
        # Empty embeddings that every batch must match, and the schema if there is no batch.
        self._like = Embeddings(np.zeros((0, dim), np.float32), model, flip)
        self._file: Any = None

    def __enter__(self) -> "EmbeddingsWriter":
        with ExitStack() as opened:
            self._temporary = opened.enter_context(replacing(self._path, self._private, self._check))
            self._temporary.touch()  # fails before the work if the path cannot be written
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        with self._opened as opened:
            if self._file is None:
                self._open(self._like)
            try:
                if error[0] is None:
                    self._write_waiting()
                opened.pop_all().__exit__(*error)
            finally:
                if self._begun is not None:
                    self._begun.close()
        if self._begun is not None and error[0] is None:
            self._begun.remove()

    def write(self, batch: Embeddings, origins: Mapping[str, Origin] | None = None, keep: bool = False) -> None:
        """Append the rows of ``batch``, then its failed images.

        Args:
            batch: rows to write.
            origins: path → origin of the row or failure; for files with origins.
            keep: also save in ``begun``.

        Raises:
            EmbeddingsError: the batch is of another model, has other fields than the first, or its rows
                have no paths.
        """
        require_same_model(self._like, batch)
        if len(batch.paths) != len(batch):
            raise EmbeddingsError(f"{self._path}: embeddings need paths to be saved; set them with with_paths()")
        if self._file is None:
            self._open(batch.take([]))
        require_same_fields(self._like, batch)
        failed = len(batch.failed)
        missing = np.arange(len(batch) + failed) >= len(batch)
        paths = [*batch.paths, *(path for path, _ in batch.failed)]
        columns = [
            pa.array([_utf8(path) for path in paths], pa.string()),
            _lists(batch.mu, missing),
            pa.array([*batch.detected.tolist(), *[False] * failed], pa.bool_()),
            pa.array([None] * len(batch) + [_utf8(reason) for _, reason in batch.failed], pa.string()),
        ]
        for name in OPTIONAL:
            value = getattr(batch, name)
            if value is not None:
                columns.append(_lists(value, missing) if value.ndim == 2 else _numbers(value, missing))
        if self._made is not None:
            columns.append(_origin_column([(origins or {})[path] for path in paths]))
        table = pa.table(columns, schema=self._schema)
        self._waiting.append(table)
        if sum(map(len, self._waiting)) >= _GROUP:
            self._write_waiting()
        if keep and self._begun is not None:
            self._begun.add(table)
        self._rows += len(paths)

    def _write_waiting(self) -> None:
        if self._waiting:
            self._file.write_table(pa.concat_tables(self._waiting))
            self._waiting = []

    def _check(self, temporary: Path) -> None:
        """Check that the closed file holds all rows."""
        try:
            rows = pq.ParquetFile(temporary).metadata.num_rows
        except DAMAGED_PARQUET as error:
            raise EmbeddingsError(f"{self._path}: not written completely ({error}); is the disk full?") from error
        if rows != self._rows:
            written = f"{rows} of {counted(self._rows, 'row')}"
            raise EmbeddingsError(f"{self._path}: only {written} written; is the disk full?")

    def _open(self, like: Embeddings) -> None:
        self._like, about = like, _about(like)
        described = about | ({"gallery": self._gallery} if self._private else {})
        described |= {"roots": self._roots} if self._roots else {}
        if self._made is not None:
            about = about | {"origins": True, "format": _WITH_ORIGINS}
            described = described | about | {"made": dict(self._made)}
        self._schema = pa.schema(_columns(about), metadata={_META: json.dumps(described).encode()})
        self._file = self._opened.enter_context(
            pq.ParquetWriter(
                self._temporary, self._schema, compression="zstd", use_dictionary=_REPEATED, write_page_checksum=True
            )
        )


def _about(embeddings: Embeddings) -> dict[str, Any]:
    sigma2 = embeddings.sigma2
    return {
        "format": _FORMAT,
        "model": embeddings.model,
        "flip": embeddings.flip,
        "dim": embeddings.dim,
        "precision": embeddings.precision,
        "engine": embeddings.engine,
        "findings": list(embeddings.findings),
        "trained_dim": embeddings.trained_dim,
        "kappa": embeddings.kappa is not None,
        "sigma2": 0 if sigma2 is None else int(sigma2.shape[1]),
        "detection_score": embeddings.detection_score is not None,
    }


def _columns(about: dict[str, Any]) -> list[tuple[str, Any]]:
    columns = [
        ("path", pa.string()),
        ("mu", pa.list_(pa.float32(), about["dim"])),
        ("detected", pa.bool_()),
        ("error", pa.string()),
    ]
    kinds = {"kappa": pa.float32(), "detection_score": pa.float32()}
    if about.get("sigma2"):
        kinds["sigma2"] = pa.list_(pa.float32(), about["sigma2"])
    columns += [(name, kinds[name]) for name in OPTIONAL if about.get(name)]
    return columns + ([("origin", _ORIGIN)] if about.get("origins") else [])


def _origin_column(origins: list[Origin]) -> pa.Array:
    rows = [
        {
            "image": _utf8(one.image),
            "size": one.mark.size,
            "mtime": one.mark.mtime,
            "digest": one.mark.digest,
            "remarks": list(one.remarks),
        }
        for one in origins
    ]
    return pa.array(rows, _ORIGIN)


def _lists(values: np.ndarray, missing: np.ndarray) -> pa.Array:
    flat = np.zeros((len(missing), values.shape[1]), np.float32)
    flat[: len(values)] = values
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), values.shape[1], mask=pa.array(missing))


def _numbers(values: np.ndarray, missing: np.ndarray) -> pa.Array:
    flat = np.zeros(len(missing), np.float32)
    flat[: len(values)] = values
    return pa.array(flat, mask=missing)


def _utf8(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def save_embeddings(path: Path, embeddings: Embeddings, private: bool = False, gallery: int = 1) -> None:
    """Write ``embeddings`` to a Parquet file, readable only by its owner if ``private``."""
    model, flip, roots = embeddings.model, embeddings.flip, embeddings.roots
    with EmbeddingsWriter(path, model, flip, embeddings.dim, private, roots, gallery=gallery) as writer:
        writer.write(embeddings)


def embeddings_of(table: pa.Table, about: dict[str, Any], path: Path) -> Embeddings:
    """Embeddings from a table of an embeddings file; ``path`` is for errors."""
    mu = table.column("mu")
    good = table.filter(mu.is_valid()) if mu.null_count else table
    paths, errors = table.column("path").to_pylist(), table.column("error").to_pylist()
    values = _matrix(good, "mu", path)
    finite = np.isfinite(values).all(1)
    if not finite.all():
        first = good.column("path")[int(finite.argmin())].as_py()
        message = f"the embedding of {first} holds NaN or infinity, and {int((~finite).sum()) - 1} more"
        raise EmbeddingsError(f"{path}: {message}; embed the images again")
    return Embeddings(
        mu=values,
        model=about["model"],
        flip=about["flip"],
        paths=tuple(good.column("path").to_pylist()),
        detected=_whole(good, "detected", path).to_numpy(zero_copy_only=False),
        failed=tuple((path, reason) for path, reason in zip(paths, errors, strict=True) if reason is not None),
        kappa=_vector(good, "kappa", path) if about.get("kappa") else None,
        sigma2=_matrix(good, "sigma2", path) if about.get("sigma2") else None,
        trained_dim=about.get("trained_dim", 0),
        precision=about.get("precision", ""),
        engine=about.get("engine", ""),
        findings=tuple(map(with_present_names, about.get("findings", ()))),
        roots=tuple(map(str, about.get("roots", ()))),
        detection_score=_vector(good, "detection_score", path) if about.get("detection_score") else None,
    )


def _matrix(table: pa.Table, name: str, path: Path) -> np.ndarray:
    lists = _whole(table, name, path)
    values = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), lists.type.list_size)
    return np.ascontiguousarray(values, np.float32)


def _vector(table: pa.Table, name: str, path: Path) -> np.ndarray:
    return np.asarray(_whole(table, name, path).to_numpy(zero_copy_only=False), np.float32)


def _whole(table: pa.Table, name: str, path: Path) -> Any:
    column = table.column(name).combine_chunks()
    if column.null_count:
        raise _malformed(path)
    return column


def _malformed(path: Path, why: str = "") -> EmbeddingsError:
    message = f"its columns are wrong ({why})" if why else "its columns are wrong"
    return EmbeddingsError(f"{path}: not a readable embeddings file: {message}; create it again")


def read_about(schema: pa.Schema, path: Path) -> dict[str, Any]:
    """The metadata of an embeddings file.

    Raises:
        EmbeddingsError: it is not an embeddings file.
    """
    try:
        about: dict[str, Any] = json.loads(schema.metadata[_META])
        if about["format"] not in _READABLE:
            raise EmbeddingsError(f"{path}: written by an incompatible version of facepipe; embed the images again")
        model, flip, trained = about["model"], about["flip"], about["trained_dim"] if about["format"] > 1 else 0
        words = (model, flip, about.get("precision", ""), about.get("engine", ""))
        plain = all(isinstance(word, str) for word in words) and isinstance(trained, int)
        plain = plain and all(map(is_finding, about.get("findings", ())))
        wrong = _wrong_column(schema, pa.schema(_columns(about)))
    # Values written by another program may have any type.
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        bare = _META not in (schema.metadata or {}) and {"path", "mu"} <= set(schema.names)
        lost = ", or another program rewrote it and dropped its metadata: embed the photos again" if bare else ""
        raise EmbeddingsError(f"{path}: a Parquet file, but not one written by 'facepipe embed'{lost}") from error
    if wrong:
        raise _malformed(path, wrong)
    if not plain:
        raise _malformed(path)
    return about


def _wrong_column(schema: pa.Schema, wanted: pa.Schema) -> str:
    """The first column that is missing, unexpected or of a wrong type; empty if all are correct."""
    for field in wanted:
        if field.name not in schema.names:
            return f"column {field.name} is missing"
        if schema.field(field.name).type != field.type:
            return f"column {field.name} is {schema.field(field.name).type}, but must be {field.type}"
    more = [name for name in schema.names if name not in wanted.names]
    return f"column {more[0]} is not part of an embeddings file" if more else ""
