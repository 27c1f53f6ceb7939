"""Queries per second and memory of exact search beside plain NumPy and faiss's flat index.

    python benchmarks/search.py [--rows 1000000] [--dim 512] [--queries 256] [--k 10] [--threads 2] [--rounds 3]

The store is float16, rows of length 1, in a file. facepipe searches the file, memory-mapped, and its scores are
float64; NumPy holds it as float16 and converts it block by block (as a careful user would write it: 65,536 rows,
a matrix product, argpartition); faiss's IndexFlatIP holds it as float32. Each of them is a process of its own with
as many threads, all are given the same queries, and they take turns: one round is one search by each. Printed is one
JSON object: of each the best round's queries per second, the median, its memory, and the share of rows in which it
agrees with facepipe.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

_ROWS = 65_536


def make_store(path: Path, rows: int, dim: int) -> None:
    """Five photos each of many people, 40° from their mean or so; in blocks."""
    store = np.lib.format.open_memmap(path, "w+", np.float16, (rows, dim))
    for first in range(0, rows, _ROWS):
        rng = np.random.default_rng(first)
        count = min(_ROWS, rows - first)
        block = rng.standard_normal((-(-count // 5), dim), np.float32).repeat(5, 0)[:count]
        block += 0.8 * rng.standard_normal((count, dim), np.float32)
        store[first : first + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    store.flush()


def numpy_search(path: Path, queries: np.ndarray, k: int):
    store = np.load(path)

    def search() -> np.ndarray:
        best = np.empty((len(queries), 0), np.float32)
        rows = np.empty((len(queries), 0), np.int64)
        for first in range(0, len(store), _ROWS):
            scores = queries @ store[first : first + _ROWS].astype(np.float32).T
            top = np.argpartition(scores, -k, 1)[:, -k:]
            best = np.concatenate([best, np.take_along_axis(scores, top, 1)], 1)
            rows = np.concatenate([rows, top + first], 1)
        return np.take_along_axis(rows, np.argsort(-best, 1)[:, :k], 1)

    return search


def faiss_search(path: Path, queries: np.ndarray, k: int):
    import faiss

    store = np.load(path, mmap_mode="r")
    index = faiss.IndexFlatIP(store.shape[1])
    for first in range(0, len(store), _ROWS):
        index.add(np.asarray(store[first : first + _ROWS], np.float32))
    return lambda: index.search(queries, k)[1]


def facepipe_search(path: Path, queries: np.ndarray, k: int):
    from facepipe.score.search import top_k

    store = np.load(path, mmap_mode="c")
    return lambda: top_k(queries, store, k, unit_rows=True).rows


SIDES = {"facepipe": facepipe_search, "numpy": numpy_search, "faiss": faiss_search}


def memory() -> dict[str, float]:
    """Megabytes of this process: the most that were resident, and those that are its own and no file's pages."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: round(int(lines[name].split()[0]) / 1024) for name in ("VmHWM", "RssAnon", "RssFile")}


def work(side: str, path: Path, queries: np.ndarray, k: int, pipe: Connection) -> None:
    """Search whenever told to, and report."""
    search = SIDES[side](path, queries, k)
    search()
    pipe.send("ready")
    while pipe.recv():
        began = time.perf_counter()
        rows = search()
        pipe.send((time.perf_counter() - began, rows))
    pipe.send(memory())


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)  # before the processes that read them begin
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.npy"
        make_store(path, options.rows, options.dim)
        rng = np.random.default_rng(1)
        asked = np.load(path, mmap_mode="r")[np.sort(rng.choice(options.rows, options.queries, replace=False))]
        queries = asked.astype(np.float32) + 0.01 * rng.standard_normal(asked.shape, np.float32)
        result = compete(path, queries, options.k, options.rounds)
    shown = {"rows": options.rows, "dim": options.dim, "queries": options.queries, "k": options.k}
    print(json.dumps(shown | {"threads": options.threads, "load_before": round(load, 2)} | result, indent=2))


def compete(path: Path, queries: np.ndarray, k: int, rounds: int) -> dict[str, object]:
    """Start every side, let them take turns, and gather what they report."""
    context = get_context("spawn")
    pipes = {}
    for side in SIDES:
        mine, theirs = context.Pipe()
        context.Process(target=work, args=(side, path, queries, k, theirs), daemon=True).start()
        mine.recv()
        pipes[side] = mine
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    rows = {}
    for _ in range(rounds):
        for side, pipe in pipes.items():
            pipe.send(True)
            taken, rows[side] = pipe.recv()
            seconds[side].append(taken)
    result: dict[str, object] = {}
    for side, pipe in pipes.items():
        pipe.send(False)
        result[side] = {
            "best_queries_per_second": round(len(queries) / min(seconds[side]), 2),
            "median_queries_per_second": round(len(queries) / statistics.median(seconds[side]), 2),
            "megabytes": pipe.recv(),
            "same_rows": round(float((rows[side] == rows["facepipe"]).mean()), 6),
        }
    against = [theirs / ours for ours, theirs in zip(seconds["facepipe"], seconds["faiss"], strict=True)]
    return result | {"facepipe_over_faiss_median": round(statistics.median(against), 3)}


if __name__ == "__main__":
    main()
