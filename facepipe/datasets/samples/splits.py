"""Select the identities and images for training and for validation."""

import hashlib
from collections.abc import Collection, Mapping

import numpy as np

from facepipe.datasets.samples.samples import Samples, take
from facepipe.errors import DatasetError
from facepipe.files import match_names
from facepipe.tables import counted

TURNED = 35.0
"""Absolute yaw, in degrees, above which a face counts as turned; frontal faces are below 15."""


def leave_out(samples: Samples, names: Collection[str]) -> Samples:
    """Leave out the identities ``names``, in any Unicode normalisation; unknown names are ignored.

    Raises:
        DatasetError: no identity is left.
    """
    found = match_names(names, samples.identities).names
    if not found:
        return samples
    kept = np.array([identity not in found for identity in samples.identities])
    if not kept.any():
        raise DatasetError(f"{samples.where}: data.exclude leaves no identity")
    return take(samples, np.flatnonzero(kept[samples.labels]))


def drop_small(samples: Samples, min_images: int) -> Samples:
    """Leave out identities with fewer than ``min_images`` images.

    Raises:
        DatasetError: fewer than two people are left, which a classifier needs.
    """
    counts = np.bincount(samples.labels, minlength=len(samples.identities))
    enough = counts >= max(min_images, 1)
    if enough.sum() < 2:
        raise DatasetError(
            f"{samples.where}: {_people(int(enough.sum()))} with at least {counted(min_images, 'image')}; training "
            "needs two or more: lower data.min_images or add data"
        )
    if enough.all():
        return samples
    return take(samples, np.flatnonzero(enough[samples.labels]))


def _people(count: int) -> str:
    return {0: "no identity", 1: "only one identity"}.get(count, counted(count, "identity"))


def hold_out(
    samples: Samples, identities: int, seed: int, min_images: int = 2
) -> tuple[Samples, Samples | None]:
    """Hold out all images of ``identities`` people with at least ``min_images`` images: (training, held out).

    Raises:
        DatasetError: there are not enough such people, or fewer than two are left for training.
    """
    if identities <= 0:
        return samples, None
    counts = np.bincount(samples.labels, minlength=len(samples.identities))
    eligible = np.flatnonzero(counts >= min_images)
    if identities < 2 or identities > min(len(eligible), len(samples.identities) - 2):
        raise DatasetError(
            f"{samples.where}: data.held_out = {identities} is impossible: {len(eligible)} of "
            f"{counted(len(samples.identities), 'identity')} have {min_images} images or more, validation needs two "
            "and training two; change it (0: none)"
        )
    chosen = np.random.Generator(np.random.Philox(key=[seed, 0x401D])).choice(eligible, identities, replace=False)
    held_out = np.isin(samples.labels, chosen)
    return take(samples, np.flatnonzero(~held_out)), take(samples, np.flatnonzero(held_out))


def hold_out_images(samples: Samples, counts: Mapping[str, int], seed: int = 0) -> tuple[Samples, Samples | None]:
    """Hold out a number of images per source: (training, held out). For images that each show a different person.

    From a source, given in `Samples.about`, the files with the lowest SHA-256 (salted with the seed) are taken, so the
    choice does not depend on packing or order, and copies of a file stay together.

    Args:
        samples: the samples; identities are ignored.
        counts: source → number of images; other sources are used for training.
        seed: salt of the choice.

    Raises:
        DatasetError: a source has too few images.
    """
    if not counts:
        return samples, None
    source = np.array([str(samples.about(i).get("source", "")) for i in range(len(samples))])
    held_out = np.zeros(len(samples), bool)
    for name, count in counts.items():
        rows = np.flatnonzero(source == name)
        if len(rows) < count:
            there = f"source {name!r} has {counted(len(rows), 'image')}, not {count}"
            raise DatasetError(f"{samples.where}: {there}; hold out fewer")
        hashes = [hashlib.sha256(f"{seed}\n".encode() + samples.read(int(i))).digest() for i in rows]
        held_out[rows[sorted(range(len(rows)), key=hashes.__getitem__)[:count]]] = True
    return take(samples, np.flatnonzero(~held_out)), take(samples, np.flatnonzero(held_out))


def at_most(samples: Samples, images: int, seed: int) -> Samples:
    """Limit the images per identity; turned faces are kept first, then a random choice.

    Args:
        samples: with identities; `Samples.about` may have ``yaw``, in degrees.
        images: maximum per identity, at least 1.
        seed: of the choice.
    """
    counts = np.bincount(samples.labels, minlength=len(samples.identities))
    if counts.max(initial=0) <= images:
        return samples
    chance = np.random.Generator(np.random.Philox(key=[seed, 0x3057])).random(len(samples))
    order = np.lexsort((chance, ~is_turned(samples), samples.labels))
    first = np.cumsum(counts) - counts
    rank = np.arange(len(samples)) - first[samples.labels[order]]
    return take(samples, np.sort(order[rank < images]))


def is_turned(samples: Samples) -> np.ndarray:
    """Which faces are turned by more than `TURNED`, bool N; False if the metadata have no ``yaw``."""
    yaw = [samples.about(i).get("yaw") for i in range(len(samples))]
    return np.array([isinstance(angle, int | float) and abs(angle) > TURNED for angle in yaw], bool)
