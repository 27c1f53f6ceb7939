"""Approximate search with faiss (an extra): faster than exact search in stores of many millions, and not exact.

The store is divided into cells around centres; a query is compared with the rows of the nearest cells alone
(faiss's inverted file over float16 rows). What that costs is measured when the index is made, on rows of the store.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.errors import EmbeddingsError, MissingExtraError
from facepipe.files import replacing
from facepipe.score.cosine import cosine, unit
from facepipe.score.made_from import made_from
from facepipe.score.search import Hits, top_k
from facepipe.score.store import Store

PROBES = (1, 4, 16, 64)
_FORMAT, _ROWS, _SAMPLE, _ASKED, _K = 1, 65_536, 64, 200, 10


@dataclass(frozen=True)
class Approximate:
    """An index of a store.

    Attributes:
        index: faiss's.
        recall: probes → share of the ten nearest rows that are found with so many.
    """

    index: Any
    recall: dict[int, float]


def build_approximate(store: Store, path: Path, source: Path, seed: int = 0) -> Approximate:
    """Make an index of a store, measure its recall, and write it to ``path`` and ``path.json``.

    Args:
        store: what to index.
        path: of the index.
        source: the file that the store was opened from, by which a change is noticed.
        seed: of what is trained and measured on.

    Raises:
        EmbeddingsError: the store is empty.
        MissingExtraError: faiss is not installed.
    """
    faiss = _faiss()
    if not len(store):
        raise EmbeddingsError(f"{path}: there is nothing to make an index of")
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
    made = Approximate(index, _measured(index, store, rng))
    recall = {str(probes): share for probes, share in made.recall.items()}
    about = {"format": _FORMAT, "model": store.model, "flip": store.flip, "rows": count, "recall_at_10": recall}
    about["source"] = made_from(source)

    def check(temporary: Path) -> None:  # faiss does not tell of a disk that is full when it closes the file
        try:
            whole = faiss.read_index(str(temporary)).ntotal == count
        except RuntimeError:
            whole = False
        if not whole:
            raise EmbeddingsError(f"{path}: could not be written whole; is the disk full?")

    with replacing(about_file(path)) as words, replacing(path, check=check) as temporary:
        words.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        faiss.write_index(index, str(temporary))
        about_file(path).unlink(missing_ok=True)  # what stands there fits no new index, which gets its name first
    return made


def source_of_index(path: Path) -> list[Any] | None:
    """What an index was made from, see `facepipe.score.made_from`; None where there is no index, or an older one."""
    try:
        kept = json.loads(about_file(path).read_text(encoding="utf-8"))["source"]
        return kept if path.is_file() and isinstance(kept, list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_approximate(path: Path, store: Store) -> Approximate:
    """Read what `build_approximate` wrote.

    Raises:
        EmbeddingsError: missing, damaged, or an index of another store.
        MissingExtraError: faiss is not installed.
    """
    faiss = _faiss()
    try:
        about: dict[str, Any] = json.loads(about_file(path).read_text(encoding="utf-8"))
        index = faiss.read_index(str(path))
        recall = {int(probes): float(share) for probes, share in about["recall_at_10"].items()}
        fits = (about["format"], about["model"], about["flip"]) == (_FORMAT, store.model, store.flip)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise EmbeddingsError(f"{path}: not a readable index; delete it, and it is made again") from error
    if not fits or index.ntotal != len(store) or index.d != store.vectors.shape[1]:
        raise EmbeddingsError(f"{path}: an index of another store; delete it, and it is made again")
    return Approximate(index, recall)


def search_approximate(approximate: Approximate, store: Store, queries: np.ndarray, k: int, probes: int) -> Hits:
    """About the k nearest rows of each query; scores are exact cosines, best first, lower rows first of equal ones.

    Args:
        approximate: index of ``store``.
        store: N rows.
        queries: float Q×D.
        k: how many; fewer are found where the cells searched hold fewer: row −1 and score −1 fill up.
        probes: cells to search.
    """
    approximate.index.nprobe = probes
    _, rows = approximate.index.search(unit(queries).astype(np.float32), min(k, len(store)))
    asked, column = np.nonzero(rows >= 0)
    scores = np.full(rows.shape, -1.0)
    for first in range(0, len(asked), _ROWS // 16):
        part = slice(first, first + _ROWS // 16)
        scores[asked[part], column[part]] = cosine(
            queries[asked[part]], store.vectors[rows[asked[part], column[part]]]
        )
    order = np.lexsort((np.where(rows < 0, np.iinfo(np.int64).max, rows), -scores), axis=1)
    return Hits(np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1))


def recall_of(found: Hits, exact: Hits) -> float:
    """Share of the rows of ``exact`` that ``found`` has too."""
    hit = (exact.rows[:, :, None] == found.rows[:, None, :]).any(2)
    return float(hit.mean()) if hit.size else 1.0


def _measured(index: Any, store: Store, rng: np.random.Generator) -> dict[int, float]:
    asked = np.sort(rng.choice(len(store), min(len(store), _ASKED), replace=False))
    queries = np.asarray(store.vectors[asked], np.float32)
    # A stored face finds itself; what else it finds is the question.
    exact = _others(top_k(queries, store.vectors, _K + 1, unit_rows=store.unit_rows), asked)
    approximate = Approximate(index, {})
    return {
        probes: recall_of(_others(search_approximate(approximate, store, queries, _K + 1, probes), asked), exact)
        for probes in PROBES
    }


def _others(hits: Hits, own: np.ndarray) -> Hits:
    rows = np.where(hits.rows == own[:, None], -2, hits.rows)
    order = np.argsort(rows == -2, axis=1, kind="stable")[:, : max(rows.shape[1] - 1, 0)]
    return Hits(np.take_along_axis(hits.scores, order, 1), np.take_along_axis(rows, order, 1))


def _rows(store: Store, rows: np.ndarray) -> np.ndarray:
    vectors = store.vectors[rows]
    return np.asarray(vectors if store.unit_rows else unit(vectors), np.float32)


def about_file(path: Path) -> Path:
    """Where lies what is known of an index."""
    return path.with_name(f"{path.name}.json")


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("approximate search needs faiss; pip install 'facepipe[search]'") from error
    return faiss
