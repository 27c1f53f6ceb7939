"""Open- and closed-set identification on LFW: the lists distributed with ProbFace, or newly drawn ones.

The published lists (``lfw_gallery_index.mat`` etc.) have ten trials each. In the open set the gallery has one image
each of 596 people, and another one as probe; all 9,494 images of the 5,153 others are probes without a mate. In the
closed set the gallery has 4,249 people, and the probes are 3,143 further images of the 596. How the 596 people were
chosen is not documented; `draw_openset` draws people and images at random.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facepipe.datasets.mat_file import read_mat
from facepipe.datasets.templates.blufr import indices, lfw_names
from facepipe.errors import DatasetError
from facepipe.tables import counted

MATED, CLOSED_GALLERY, TRIALS = 596, 4_249, 10


@dataclass(frozen=True)
class SearchTrial:
    """One trial: int64 indices of gallery and probe images."""

    gallery: np.ndarray
    probe: np.ndarray


@dataclass(frozen=True)
class OpenSetLists:
    """The lists.

    Attributes:
        names: of all images, as ``Name/Name_0001``.
        person: int64, person in each image.
        trials: usually ten.
        closed: whether every probe has a mate.
        origin: origin of the lists, for the result: ``published``, or ``drawn, seed 0``.
    """

    names: tuple[str, ...]
    person: np.ndarray
    trials: tuple[SearchTrial, ...]
    closed: bool
    origin: str


def draw_openset(
    names: tuple[str, ...],
    person: np.ndarray,
    closed: bool = False,
    seed: int = 0,
    mated: int = MATED,
    gallery: int = CLOSED_GALLERY,
    trials: int = TRIALS,
) -> OpenSetLists:
    """Draw lists of the published sizes.

    ``mated`` people with at least two images are drawn once for all trials. Open set: each trial draws one image of
    each of them for the gallery and another one as probe; all images of all others are also probes. Closed set: each
    trial draws a gallery of one image each of them and of others, ``gallery`` people in total; the remaining images
    of the mated people are probes.

    Args:
        names, person: of all LFW images, for example from `facepipe.datasets.templates.blufr.read_blufr`.
        closed: draw the closed set.
        seed: determines the lists.
        mated, gallery, trials: the published sizes.

    Raises:
        DatasetError: too few people, or too few with two images.
    """
    order = np.argsort(person, kind="stable")
    people, first, count = np.unique(person[order], return_index=True, return_counts=True)
    several = np.flatnonzero(count > 1)
    if len(several) < mated or len(people) < (gallery if closed else mated + 1):
        there = f"{counted(len(people), 'person')}, {len(several)} of them with two images"
        raise DatasetError(f"{there}: too few for this protocol")
    random = np.random.default_rng(seed)
    mates = np.sort(random.choice(several, mated, replace=False))
    others = np.setdiff1d(np.arange(len(people)), mates)
    images = [order[start : start + size] for start, size in zip(first.tolist(), count.tolist(), strict=True)]
    drawn = []
    for _ in range(trials):
        shuffled = [random.permutation(images[who]) for who in mates]
        enrolled = np.array([rows[0] for rows in shuffled])
        if closed:
            further = random.choice(others, gallery - mated, replace=False)
            enrolled = np.concatenate([enrolled, [random.choice(images[who]) for who in further]])
            probes = np.concatenate([rows[1:] for rows in shuffled])
        else:
            probes = np.concatenate([[rows[1] for rows in shuffled], *(images[who] for who in others)])
        drawn.append(SearchTrial(enrolled, probes))
    return OpenSetLists(names, person, tuple(drawn), closed, f"drawn, seed {seed}")


def read_openset(folder: Path, closed: bool = False) -> OpenSetLists:
    """Read the published lists: the MATLAB files of ProbFace's ``proto/blufr``, and ``imagelist_lfw.mat``.

    Args:
        folder: with ``id_lfw.mat``, ``imagelist_lfw.mat`` and ``lfw_{gallery,genuine_probe,impostor_probe}_index.mat``,
            or ``_index_close.mat`` for the closed set.
        closed: read the closed set.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    images = folder / "imagelist_lfw.mat"
    try:
        names = lfw_names(read_mat(images, ("imagelist_lfw",))["imagelist_lfw"])
        person = read_mat(folder / "id_lfw.mat", ("id_lfw",))["id_lfw"].ravel().astype(np.int64)
    except (AttributeError, TypeError, ValueError) as error:
        raise DatasetError(f"{images}: its variables do not have the form of ProbFace's lists") from error
    if len(person) != len(names):
        raise DatasetError(f"{images}: {counted(len(names), 'image')}, but id_lfw.mat has {len(person)} labels")
    parts = [_index(folder, part, closed, len(names)) for part in ("gallery", "genuine_probe", "impostor_probe")]
    trials = tuple(
        SearchTrial(gallery, np.concatenate([genuine, impostor]))
        for gallery, genuine, impostor in zip(*parts, strict=True)
    )
    return OpenSetLists(names, person, trials, closed, "published")


def _index(folder: Path, part: str, closed: bool, count: int) -> list[np.ndarray]:
    path = folder / f"lfw_{part}_index{'_close' if closed else ''}.mat"
    names = tuple(f"{part}_index_{number}" for number in range(1, TRIALS + 1))
    found = read_mat(path, names)
    return [indices(found[name], count, path) for name in names]
