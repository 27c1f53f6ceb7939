"""Feature maps of the frozen layers for each view of each crop, computed once and cached on disk as float16."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from facepipe.datasets import Samples
from facepipe.train.data.augment import NUMBERS, Augment, augment_batch
from facepipe.train.data.crops import Crops
from facepipe.train.data.order import uniforms

MAPS_AT_ONCE = 64
"""Crops computed at a time; an interrupted job resumes after the last complete chunk."""

STRAIGHT, MIRRORED = 0, 1
"""The views without augmentation."""

Run = Callable[[np.ndarray], np.ndarray]
"""uint8 crops n×H×W×3 → their maps, float n×h×w×C."""


class KeptMaps:
    """Memory-mapped maps, float16 h×w×C, of ``views`` views of N crops.

    Args:
        folder: cache folder, for these crops, views and layers only.
        count: N.
        views: V.
        shape: (h, w, C).

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, count: int, views: int, shape: tuple[int, int, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.count, self.views, self.shape = folder, count, views, shape
        chunks = -(-count // MAPS_AT_ONCE)
        opened = [_view_files(folder, view, (count, *shape), chunks) for view in range(views)]
        self.maps, self._done = [maps for maps, _ in opened], [done for _, done in opened]

    def missing(self, worker: int = 0, workers: int = 1) -> list[tuple[int, int]]:
        """View and first crop of each chunk of this worker that is still to be computed, view by view."""
        undone = [(view, int(chunk)) for view, done in enumerate(self._done) for chunk in np.flatnonzero(done == 0)]
        return [(view, chunk * MAPS_AT_ONCE) for view, chunk in undone if chunk % workers == worker]

    def write(self, view: int, first: int, maps: np.ndarray) -> None:
        """Store the maps of one chunk."""
        self.maps[view][first : first + len(maps)] = maps
        self._done[view][first // MAPS_AT_ONCE] = 1

    def unreadable(self) -> np.ndarray:
        """Which crops could not be read, bool N; their maps are nan."""
        return np.asarray(np.isnan(self.maps[STRAIGHT][:, 0, 0, 0]))

    def batch(self, indices: np.ndarray, views: np.ndarray) -> np.ndarray:
        """Maps float16 n×h×w×C of crops ``indices``, each in the given view."""
        out = np.empty((len(indices), *self.shape), np.float16)
        for place, (index, view) in enumerate(zip(indices, views, strict=True)):
            out[place] = self.maps[view][index]
        return out


def compute_maps(
    kept: KeptMaps,
    crops: Crops,
    augment: Augment,
    run: Run,
    progress: Callable[[int, int], None],
    worker: int = 0,
    workers: int = 1,
) -> None:
    """Compute the missing maps.

    Args:
        kept: the cache to write to.
        crops: the N crops.
        augment: augmentation of views 2 and up; view v uses the random numbers of epoch v.
        run: the frozen layers.
        progress: called after each chunk with the maps done and the maps missing at the start.
        worker, workers: index of this process, and number of processes on this machine that share the work.
    """
    missing = kept.missing(worker, workers)
    total = sum(min(MAPS_AT_ONCE, kept.count - first) for _, first in missing)
    done = 0
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(_view, crops, augment, *place) for place in missing[:1]]
        for number, (view, first) in enumerate(missing):
            pixels, readable = waiting.pop().result()
            waiting += [pool.submit(_view, crops, augment, *place) for place in missing[number + 1 : number + 2]]
            maps = run(pixels)
            maps[~readable] = np.nan
            kept.write(view, first, maps)
            done += len(pixels)
            progress(done, total)


def _view(crops: Crops, augment: Augment, view: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a chunk, and which crops were readable; the others are replaced by substitutes."""
    indices = np.arange(first, min(first + MAPS_AT_ONCE, len(crops.samples)))
    epochs = np.full_like(indices, view)
    pixels, used = crops.numbered(indices, np.zeros_like(indices))
    if view == MIRRORED:
        pixels = np.ascontiguousarray(pixels[:, :, ::-1])
    elif view != STRAIGHT:
        augment_batch(pixels, uniforms(crops.seed, epochs, indices, NUMBERS), augment)
    return pixels, used == indices


def cache_name(samples: Samples, augment: Augment, seed: int, layers: bytes) -> str:
    """Name of the cache folder: a hash of crops, augmentation and layers."""
    # By the former names of fields, so that maps cached before a renaming are found.
    fields = augment.model_dump_json()
    for former, name in Augment.FORMER_NAMES.items():
        fields = fields.replace(f'"{name}":', f'"{former}":')
    digest = hashlib.sha256(f"{fields}\n{seed}\n".encode() + layers)
    for index in range(len(samples)):
        digest.update(hashlib.blake2b(samples.read(index), digest_size=8).digest())
    return digest.hexdigest()[:24]


def _view_files(folder: Path, view: int, shape: tuple[int, ...], chunks: int) -> tuple[np.memmap, np.memmap]:
    """The maps of a view and which of its chunks are done; both are created again if either is damaged."""
    files = (folder / f"view-{view}.npy", shape, np.float16), (folder / f"done-{view}.npy", (chunks,), np.uint8)
    try:
        maps, done = (np.lib.format.open_memmap(path, mode="r+") for path, _, _ in files)
        if (maps.shape, done.shape) == (shape, (chunks,)):
            return maps, done
    except (FileNotFoundError, ValueError, EOFError):
        pass
    maps, done = (np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=size) for path, size, kind in files)
    return maps, done
