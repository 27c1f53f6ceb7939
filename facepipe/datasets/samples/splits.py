"""Which identities train, which are kept apart for validation, and which are too small for either."""

import hashlib
from collections.abc import Collection, Mapping

import numpy as np

from facepipe.datasets.samples.samples import Samples, take
from facepipe.errors import DatasetError
from facepipe.files import match_names

TURNED = 35.0
"""Degrees of yaw, either way, beyond which a face counts as turned; frontal faces are below 15."""


def leave_out(samples: Samples, names: Collection[str]) -> Samples:
    """Leave out the identities called ``names``, in whatever form of Unicode; a name that does not occur is no error.

    Raises:
        DatasetError: nobody is left.
    """
    found = match_names(names, samples.identities).names
    if not found:
        return samples
    kept = np.array([identity not in found for identity in samples.identities])
    if not kept.any():
        raise DatasetError(f"{samples.where}: data.exclude leaves nobody")
    return take(samples, np.flatnonzero(kept[samples.labels]))


def drop_small(samples: Samples, min_images: int) -> Samples:
    """Leave out identities with fewer than ``min_images`` images.

    Raises:
        DatasetError: nobody is left, or one person only (a classifier needs two).
    """
    counts = np.bincount(samples.labels, minlength=len(samples.identities))
    enough = counts >= max(min_images, 1)
    if enough.sum() < 2:
        raise DatasetError(
            f"{samples.where}: {_people(int(enough.sum()))} with at least {min_images} image(s); training "
            "needs two or more: lower data.min_images or add data"
        )
    if enough.all():
        return samples
    return take(samples, np.flatnonzero(enough[samples.labels]))


def _people(count: int) -> str:
    return {0: "nobody", 1: "only one identity"}.get(count, f"{count} identities")


def hold_out(
    samples: Samples, identities: int, seed: int, min_images: int = 2
) -> tuple[Samples, Samples | None]:
    """Set ``identities`` whole people with at least ``min_images`` images aside: (training, held out).

    Raises:
        DatasetError: there are not enough such people to leave two for training.
    """
    if identities <= 0:
        return samples, None
    counts = np.bincount(samples.labels, minlength=len(samples.identities))
    able = np.flatnonzero(counts >= min_images)
    if identities < 2 or identities > min(len(able), len(samples.identities) - 2):
        raise DatasetError(
            f"{samples.where}: data.held_out = {identities} cannot be met: {len(able)} of "
            f"{len(samples.identities)} identities have {min_images} images or more, validation needs two "
            "and training two; change it (0: none)"
        )
    chosen = np.random.Generator(np.random.Philox(key=[seed, 0x401D])).choice(able, identities, replace=False)
    apart = np.isin(samples.labels, chosen)
    return take(samples, np.flatnonzero(~apart)), take(samples, np.flatnonzero(apart))


def hold_out_images(samples: Samples, counts: Mapping[str, int], seed: int = 0) -> tuple[Samples, Samples | None]:
    """Set single images aside, so many of each source: (training, held out). For images that are a person each.

    Of a source, as `Samples.about` names it, those are taken whose files have the lowest SHA-256 after the seed: the
    choice does not depend on how the images are packed or ordered, and two copies of a file stay together.

    Args:
        samples: with or without identities, which are not looked at.
        counts: source → how many; other sources train.
        seed: another one chooses others.

    Raises:
        DatasetError: a source has not so many images.
    """
    if not counts:
        return samples, None
    source = np.array([str(samples.about(i).get("source", "")) for i in range(len(samples))])
    apart = np.zeros(len(samples), bool)
    for name, count in counts.items():
        own = np.flatnonzero(source == name)
        if len(own) < count:
            raise DatasetError(f"{samples.where}: {len(own)} images of source {name!r}, not {count}; ask for fewer")
        hashes = [hashlib.sha256(f"{seed}\n".encode() + samples.read(int(i))).digest() for i in own]
        apart[own[sorted(range(len(own)), key=hashes.__getitem__)[:count]]] = True
    return take(samples, np.flatnonzero(~apart)), take(samples, np.flatnonzero(apart))


def at_most(samples: Samples, images: int, seed: int) -> Samples:
    """Leave out what an identity has beyond so many images; those turned far to the side stay, then chance decides.

    Args:
        samples: with identities; `Samples.about` may know ``yaw``, in degrees.
        images: of one identity, at least 1.
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
    """Which faces are turned further than `TURNED`, bool N; none where no ``yaw`` is written beside them."""
    yaw = [samples.about(i).get("yaw") for i in range(len(samples))]
    return np.array([isinstance(angle, int | float) and abs(angle) > TURNED for angle in yaw], bool)
