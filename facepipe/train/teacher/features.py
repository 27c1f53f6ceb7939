"""A teacher's embeddings of training crops, computed once and cached on disk.

The key is the hash of the encoded crop, so a run with other held-out identities, more data or another order finds
them again. An interrupted job resumes where it stopped. Ranks share the work, and exchange rows that are cached on a
disk the others cannot read.
"""

import hashlib
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facepipe.alignment import fit_crop
from facepipe.datasets import Samples
from facepipe.embedding import Embedder
from facepipe.errors import FacepipeError, ImageError
from facepipe.files import replacing
from facepipe.images import read_rgb
from facepipe.score import unit
from facepipe.tables import counted
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.loop.progress import notify
from facepipe.zoo import Card, load

CHUNK = 512
"""Crops in memory at a time, and per file of the cache."""

_EXCHANGED = 65_536
"""Rows that ranks exchange at a time."""

_UNREADABLE = 0
_NOTIFY_EVERY = 20.0


def teacher_features(
    name: str,
    card: Card,
    samples: Samples,
    folder: Path,
    how: str,
    ranks: Ranks,
    console: Console,
    mirror: bool = True,
) -> np.ndarray:
    """Unit embedding of each crop, or the mean with that of its mirror image, float32 N×D; 0 if unreadable.

    Collective: every rank calls it, computes its share of the missing rows, and gets the same result.

    Args:
        name: the teacher, as for ``zoo.load``; loaded only if something is missing.
        card: the teacher's card.
        samples: the crops.
        folder: cache of this teacher's embeddings, float16.
        how: see ``crops.fit``.
        ranks: the processes.
        console: for progress.
        mirror: also embed the mirror image, which takes twice the time.

    Raises:
        ModelError: the teacher's weights are missing or damaged.
        ImageError: a crop does not have the teacher's input size.
        OSError: the folder cannot be written.
    """
    with ThreadPoolExecutor(2) as pool:
        digests = _digests(samples, ranks, pool)
        kept = _read_parts(folder, card.embedding.dim)
        missing = _missing(digests, kept[0], ranks)
        share = missing[ranks.share(len(missing))]
        if len(share):
            with _progress(console, card.name, len(share)) as advance:
                teacher = Embedder(load(name, ranks.device), flip="concat" if mirror else "none", precision="float32")
                for first in range(0, len(share), CHUNK):
                    chunk = share[first : first + CHUNK]
                    _embed(teacher, samples, chunk, digests[chunk], folder, how, pool)
                    advance(len(chunk))
        if len(missing):
            ranks.barrier()
            kept = _read_parts(folder, card.embedding.dim)
    return _merge_ranks(_rows_of_digests(digests, *kept), np.isin(digests, kept[0]), ranks)


def _digests(samples: Samples, ranks: Ranks, pool: ThreadPoolExecutor) -> np.ndarray:
    """Digests of all crops, uint64 N; each rank reads its share."""
    digests = np.zeros(len(samples), np.uint64)
    part = range(len(samples))[ranks.share(len(samples))]
    digests[part.start : part.stop] = np.fromiter(pool.map(lambda i: _digest(samples, i), part), np.uint64, len(part))
    return ranks.add_up(torch.from_numpy(digests.view(np.int64)).to(ranks.device)).cpu().numpy().view(np.uint64)


def _missing(digests: np.ndarray, kept: np.ndarray, ranks: Ranks) -> np.ndarray:
    """The first crop of each digest that no rank has cached."""
    wanted, place = np.unique(digests, return_index=True)
    known = torch.from_numpy(np.isin(wanted, kept).astype(np.int32)).to(ranks.device)
    return place[(ranks.add_up(known).cpu().numpy() == 0) & (wanted != _UNREADABLE)]


def _merge_ranks(features: np.ndarray, known: np.ndarray, ranks: Ranks) -> np.ndarray:
    """Features N×D with the rows known to any rank; the mean of several ranks' rows."""
    seen = ranks.add_up(torch.from_numpy(known.astype(np.float32)).to(ranks.device)).cpu().numpy()
    if not ranks.any(bool(((seen > 0) & ~known).any())):
        return features
    for first in range(0, len(features), _EXCHANGED):
        part = slice(first, first + _EXCHANGED)
        total = ranks.add_up(torch.from_numpy(features[part]).to(ranks.device)).cpu().numpy()
        features[part] = total / np.maximum(seen[part], 1)[:, None]
    return features


def _digest(samples: Samples, index: int) -> int:
    try:
        data = samples.read(index)
    except (FacepipeError, OSError):
        return _UNREADABLE
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _embed(
    teacher: Embedder,
    samples: Samples,
    chunk: np.ndarray,
    digests: np.ndarray,
    folder: Path,
    how: str,
    pool: ThreadPoolExecutor,
) -> None:
    """Embed one chunk and write it to the folder."""
    crops = list(pool.map(lambda i: _crop(samples, int(i), teacher.size, how), chunk))
    read = [crop is not None for crop in crops]
    if not any(read):
        return
    mu = teacher(np.stack([crop for crop in crops if crop is not None])).mu
    views = np.split(mu, 2, axis=1) if teacher.flip == "concat" else [mu]
    features = np.mean([unit(view) for view in views], axis=0).astype(np.float16)
    with replacing(folder / f"{int(digests[0]):016x}.npz") as temporary, temporary.open("wb") as stream:
        np.savez(stream, digests=digests[read], features=features)


def _crop(samples: Samples, index: int, size: tuple[int, int], how: str) -> np.ndarray | None:
    name = samples.key(index)
    try:
        crop = read_rgb(samples.read(index), name=name)
    except (FacepipeError, OSError):
        return None
    try:
        return fit_crop(crop, size, how)
    except ImageError as error:
        raise ImageError(f"{name}: the teacher: {error}") from error


def _read_parts(folder: Path, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """The whole cache: digests uint64 M, ascending, and features float16 M×D. Damaged files are deleted."""
    digests, features = [np.zeros(0, np.uint64)], [np.zeros((0, dim), np.float16)]
    for path in sorted(folder.glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as part:
                digests.append(part["digests"])
                features.append(part["features"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
    found, first = np.unique(np.concatenate(digests), return_index=True)
    return found, np.concatenate(features)[first]


def _rows_of_digests(digests: np.ndarray, kept: np.ndarray, features: np.ndarray) -> np.ndarray:
    out = np.zeros((len(digests), features.shape[1]), np.float32)
    if len(kept):
        row = np.searchsorted(kept, digests).clip(max=len(kept) - 1)
        found = kept[row] == digests
        out[found] = features[row[found]]
    return out


@contextmanager
def _progress(console: Console, name: str, total: int) -> "Iterator[_Advance]":
    """A progress bar on a terminal, otherwise a line every ``_NOTIFY_EVERY`` seconds."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal or console.is_dumb_terminal
    plain: Any = {"transient": True, "redirect_stdout": False, "disable": hidden}
    with Progress(*columns, console=console, **plain) as bar:
        yield _Advance(bar, console, f"teacher {name}", total)


class _Advance:
    def __init__(self, bar: Progress, console: Console, what: str, total: int) -> None:
        self._bar, self._console, self._what, self._total = bar, console, what, total
        self._task = bar.add_task(what, total=total)
        self._done, self._began, self._last = 0, time.monotonic(), time.monotonic()

    def __call__(self, count: int) -> None:
        self._done += count
        self._bar.advance(self._task, count)
        now = time.monotonic()
        if self._console.is_terminal or now - self._last < _NOTIFY_EVERY:
            return
        speed = self._done / (now - self._began)
        line = f"{self._what}: {self._done:,} of {counted(self._total, 'crop')}, {speed:.0f}/s"
        notify(self._console, line)
        self._last = now
