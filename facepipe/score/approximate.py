"""Approximate search with faiss (an extra), faster than exact search in stores of many millions of rows.

The store is partitioned into cells; a query is compared only with the rows of the nearest cells (faiss's inverted
file over float16 rows). The recall is measured on rows of the store when the index is built.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.errors import EmbeddingsError, MissingExtraError
from facepipe.files import replacing
from facepipe.score.cosine import cosine, unit
from facepipe.score.search import Hits, top_k
from facepipe.score.store import Store, source_record

PROBES = (1, 4, 16, 64)
_FORMAT, _ROWS, _SAMPLE, _RECALL_QUERIES, _K = 1, 65_536, 64, 200, 10


@dataclass(frozen=True)
class Approximate:
    """An index of a store.

    Attributes:
        index: the faiss index.
        recall: number of probes → recall of the ten nearest rows.
    """

    index: Any
    recall: dict[int, float]


def build_approximate(store: Store, path: Path, source: Path, seed: int = 0) -> Approximate:
    """Build an index of a store, measure its recall, and write it to ``path`` and ``path.json``.

    Args:
        store: the store to index.
        path: file of the index.
        source: the file that the store was opened from, recorded to detect changes.
        seed: of the rows used for training and measuring.

    Raises:
        EmbeddingsError: the store is empty.
        MissingExtraError: faiss is not installed.
    """
    faiss = _faiss()
    if not len(store):
        raise EmbeddingsError(f"{path}: there are no rows to index")
    rng = np.random.default_rng(seed)
    count, dim = store.vectors.shape
    cells = max(1, min(int(4 * count**0.5), count // 39))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    sample = np.sort(rng.choice(count, min(count, cells * _SAMPLE), replace=False))
    index.train(_rows(store, sample))
    for first in range(0, count, _ROWS):
        index.add(_rows(store, np.arange(first, min(first + _ROWS, count))))
    approximate = Approximate(index, _measure_recall(index, store, rng))
    recall = {str(probes): share for probes, share in approximate.recall.items()}
    metadata = {"format": _FORMAT, "model": store.model, "flip": store.flip, "rows": count, "recall_at_10": recall}
    metadata["source"] = source_record(source)

    def check(temporary: Path) -> None:  # faiss does not report a full disk when it closes the file
        try:
            complete = faiss.read_index(str(temporary)).ntotal == count
        except RuntimeError:
            complete = False
        if not complete:
            raise EmbeddingsError(f"{path}: could not be written completely; is the disk full?")

    with replacing(metadata_file(path)) as text, replacing(path, check=check) as temporary:
        text.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
        faiss.write_index(index, str(temporary))
        metadata_file(path).unlink(missing_ok=True)  # the index is replaced first, and old metadata would not match
    return approximate


def source_of_index(path: Path) -> list[Any] | None:
    """The `facepipe.score.store.source_record` of an index; None if there is no index, or one without a record."""
    try:
        record = json.loads(metadata_file(path).read_text(encoding="utf-8"))["source"]
        return record if path.is_file() and isinstance(record, list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_approximate(path: Path, store: Store) -> Approximate:
    """Read an index written by `build_approximate`.

    Raises:
        EmbeddingsError: missing, damaged, or an index of another store.
        MissingExtraError: faiss is not installed.
    """
    faiss = _faiss()
    try:
        metadata: dict[str, Any] = json.loads(metadata_file(path).read_text(encoding="utf-8"))
        index = faiss.read_index(str(path))
        recall = {int(probes): float(share) for probes, share in metadata["recall_at_10"].items()}
        matches = (metadata["format"], metadata["model"], metadata["flip"]) == (_FORMAT, store.model, store.flip)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise EmbeddingsError(f"{path}: not a readable index; delete it to have it rebuilt") from error
    if not matches or index.ntotal != len(store) or index.d != store.vectors.shape[1]:
        raise EmbeddingsError(f"{path}: an index of another store; delete it to have it rebuilt")
    return Approximate(index, recall)


def search_approximate(approximate: Approximate, store: Store, queries: np.ndarray, k: int, probes: int) -> Hits:
    """Approximately the k nearest rows of each query; scores are exact cosines, best first, ties by row.

    Args:
        approximate: index of ``store``.
        store: N rows.
        queries: float Q×D.
        k: number of rows; if the searched cells hold fewer, the rest has row −1 and score −1.
        probes: number of cells to search.
    """
    approximate.index.nprobe = probes
    _, rows = approximate.index.search(unit(queries).astype(np.float32), min(k, len(store)))
    query, column = np.nonzero(rows >= 0)
    scores = np.full(rows.shape, -1.0)
    for first in range(0, len(query), _ROWS // 16):
        part = slice(first, first + _ROWS // 16)
        scores[query[part], column[part]] = cosine(
            queries[query[part]], store.vectors[rows[query[part], column[part]]]
        )
    order = np.lexsort((np.where(rows < 0, np.iinfo(np.int64).max, rows), -scores), axis=1)
    return Hits(np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1))


def recall_of(found: Hits, exact: Hits) -> float:
    """Share of the rows of ``exact`` that are also in ``found``."""
    hit = (exact.rows[:, :, None] == found.rows[:, None, :]).any(2)
    return float(hit.mean()) if hit.size else 1.0


def _measure_recall(index: Any, store: Store, rng: np.random.Generator) -> dict[int, float]:
    chosen = np.sort(rng.choice(len(store), min(len(store), _RECALL_QUERIES), replace=False))
    queries = np.asarray(store.vectors[chosen], np.float32)
    # Each query is a stored row and finds itself, which must not count.
    exact = _without_query(top_k(queries, store.vectors, _K + 1, unit_rows=store.unit_rows), chosen)
    approximate = Approximate(index, {})
    recall = {}
    for probes in PROBES:
        found = search_approximate(approximate, store, queries, _K + 1, probes)
        recall[probes] = recall_of(_without_query(found, chosen), exact)
    return recall


def _without_query(hits: Hits, query_rows: np.ndarray) -> Hits:
    rows = np.where(hits.rows == query_rows[:, None], -2, hits.rows)
    order = np.argsort(rows == -2, axis=1, kind="stable")[:, : max(rows.shape[1] - 1, 0)]
    return Hits(np.take_along_axis(hits.scores, order, 1), np.take_along_axis(rows, order, 1))


def _rows(store: Store, rows: np.ndarray) -> np.ndarray:
    vectors = store.vectors[rows]
    return np.asarray(vectors if store.unit_rows else unit(vectors), np.float32)


def metadata_file(path: Path) -> Path:
    """The file with the metadata of an index."""
    return path.with_name(f"{path.name}.json")


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("approximate search needs faiss; pip install 'facepipe[search]'") from error
    return faiss
