"""Queries per second and memory of exact search, compared with plain NumPy and faiss's flat index.

    python benchmarks/search.py [--rows 1000000] [--dim 512] [--queries 1024] [--k 10] [--threads 1 2] [--rounds 5]

The store is float16, with rows of length 1, in a file. facepipe searches the memory-mapped file, with float64 scores;
NumPy holds it as float16 and converts it block by block (as a careful user would: 65,536 rows,
a matrix product, argpartition); faiss's IndexFlatIP holds it as float32. Each runs in its own process with
the same number of threads and the same queries, taking turns: in a round, each searches all queries together once, and
then eight single queries. Prints one JSON object with a part for every number of threads: for each side the queries per
second of the best and the median round, batched and one by one, its memory, and the fraction of rows that agree with
facepipe's.
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

_ROWS, _SINGLE = 65_536, 8


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


def numpy_search(path: Path, k: int, _: int):
    store = np.load(path)

    def search(queries: np.ndarray) -> np.ndarray:
        best = np.empty((len(queries), 0), np.float32)
        rows = np.empty((len(queries), 0), np.int64)
        for first in range(0, len(store), _ROWS):
            scores = queries @ store[first : first + _ROWS].astype(np.float32).T
            top = np.argpartition(scores, -k, 1)[:, -k:]
            best = np.concatenate([best, np.take_along_axis(scores, top, 1)], 1)
            rows = np.concatenate([rows, top + first], 1)
        return np.take_along_axis(rows, np.argsort(-best, 1)[:, :k], 1)

    return search


def faiss_search(path: Path, k: int, threads: int):
    import faiss

    faiss.omp_set_num_threads(threads)

    store = np.load(path, mmap_mode="r")
    index = faiss.IndexFlatIP(store.shape[1])
    for first in range(0, len(store), _ROWS):
        index.add(np.asarray(store[first : first + _ROWS], np.float32))
    return lambda queries: index.search(queries, k)[1]


def facepipe_search(path: Path, k: int, threads: int):
    import torch

    from facepipe.score.search import top_k

    torch.set_num_threads(threads)

    store = np.load(path, mmap_mode="c")
    return lambda queries: top_k(queries, store, k, unit_rows=True).rows


SIDES = {"facepipe": facepipe_search, "numpy": numpy_search, "faiss": faiss_search}


def memory() -> dict[str, float]:
    """Megabytes of this process: the most that were resident, and those that are its own and no file's pages."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: round(int(lines[name].split()[0]) / 1024) for name in ("VmHWM", "RssAnon", "RssFile")}


def work(side: str, path: Path, queries: np.ndarray, k: int, threads: int, pipe: Connection) -> None:
    """Search whenever told to, and report."""
    search = SIDES[side](path, k, threads)
    search(queries[:_SINGLE])
    pipe.send(None)
    while (single := pipe.recv()) is not None:
        began = time.perf_counter()
        if single:
            rows = np.concatenate([search(queries[n : n + 1]) for n in range(_SINGLE)])
        else:
            rows = search(queries)
        pipe.send((len(rows) / (time.perf_counter() - began), rows))
    pipe.send(memory())


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=1024)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    shown = {name: getattr(options, name) for name in ("rows", "dim", "queries", "k", "rounds")}
    shown["load_before"] = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.npy"
        make_store(path, options.rows, options.dim)
        rng = np.random.default_rng(1)
        asked = np.load(path, mmap_mode="r")[np.sort(rng.choice(options.rows, options.queries, replace=False))]
        queries = asked.astype(np.float32) + 0.01 * rng.standard_normal(asked.shape, np.float32)
        for threads in options.threads:
            shown[f"threads_{threads}"] = compete(path, queries, options.k, options.rounds, threads)
    print(json.dumps(shown, indent=2))


def compete(path: Path, queries: np.ndarray, k: int, rounds: int, threads: int) -> dict[str, object]:
    """Start every side, let them take turns, and gather what they report."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)  # before the processes that read them begin
    context = get_context("spawn")
    pipes = {}
    for side in SIDES:
        mine, theirs = context.Pipe()
        context.Process(target=work, args=(side, path, queries, k, threads, theirs), daemon=True).start()
        mine.recv()
        pipes[side] = mine
    speeds: dict[str, dict[bool, list[float]]] = {side: {False: [], True: []} for side in SIDES}
    rows = {}
    for _ in range(rounds):
        for single in (False, True):
            for side, pipe in pipes.items():
                pipe.send(single)
                speed, rows[side, single] = pipe.recv()
                speeds[side][single].append(speed)
    result: dict[str, object] = {}
    for side, pipe in pipes.items():
        pipe.send(None)
        same = [(rows[side, single] == rows["facepipe", single]).mean() for single in (False, True)]
        shown = {"together": _figures(speeds[side][False]), "one_by_one": _figures(speeds[side][True])}
        result[side] = shown | {"megabytes": pipe.recv(), "same_rows": round(float(min(same)), 6)}
    against = {
        name: round(statistics.median(np.divide(speeds["facepipe"][single], speeds["faiss"][single])), 3)
        for name, single in (("together", False), ("one_by_one", True))
    }
    return result | {"facepipe_over_faiss_median": against}


def _figures(speeds: list[float]) -> dict[str, float]:
    return {
        "best_queries_per_second": round(max(speeds), 2),
        "median_queries_per_second": round(statistics.median(speeds), 2),
    }


if __name__ == "__main__":
    main()
