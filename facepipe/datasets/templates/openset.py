"""Identification on LFW, open and closed set: lists that go round with ProbFace, or drawn anew.

The published lists (``lfw_gallery_index.mat`` and so on) hold ten trials each. In the open set 596 people are in the
gallery with an image each and are searched for by another one; all 9,494 images of the 5,153 others have no mate. In
the closed set 4,249 people are in the gallery, and 3,143 further images of the 596 search. How the 596 people were
chosen is not written anywhere; `draw_openset` draws people and images by chance.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facepipe.datasets.mat_file import read_mat
from facepipe.datasets.templates.blufr import indices, lfw_names
from facepipe.errors import DatasetError

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
        names: of all images as ``Name/Name_0001``.
        person: int64, the person in each.
        trials: as a rule ten.
        closed: whether every probe has a mate.
        origin: where the lists come from, for the result: ``published``, or ``drawn, seed 0``.
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
    """Lists of the published sizes, drawn with a seed.

    ``mated`` people are drawn from those with two images or more, once for all trials. Open set: each trial draws one
    image of each of them for the gallery and another one as probe; all images of all others are probes too. Closed
    set: the gallery has one image each of them and of others, ``gallery`` people in all, drawn anew in each trial; the
    remaining images of the mated people are probes.

    Args:
        names, person: of all LFW images, such as those of `facepipe.datasets.templates.blufr.read_blufr`.
        closed: which of the two.
        seed: the same seed gives the same lists.
        mated, gallery, trials: the published sizes.

    Raises:
        DatasetError: too few people, or too few with two images.
    """
    order = np.argsort(person, kind="stable")
    people, first, count = np.unique(person[order], return_index=True, return_counts=True)
    several = np.flatnonzero(count > 1)
    if len(several) < mated or len(people) < (gallery if closed else mated + 1):
        raise DatasetError(f"{len(people)} people, {len(several)} of them with two images: too few for this protocol")
    random = np.random.default_rng(seed)
    wanted = np.sort(random.choice(several, mated, replace=False))
    others = np.setdiff1d(np.arange(len(people)), wanted)
    images = [order[start : start + size] for start, size in zip(first.tolist(), count.tolist(), strict=True)]
    drawn = []
    for _ in range(trials):
        shuffled = [random.permutation(images[who]) for who in wanted]
        enrolled = np.array([own[0] for own in shuffled])
        if closed:
            further = random.choice(others, gallery - mated, replace=False)
            enrolled = np.concatenate([enrolled, [random.choice(images[who]) for who in further]])
            probes = np.concatenate([own[1:] for own in shuffled])
        else:
            probes = np.concatenate([[own[1] for own in shuffled], *(images[who] for who in others)])
        drawn.append(SearchTrial(enrolled, probes))
    return OpenSetLists(names, person, tuple(drawn), closed, f"drawn, seed {seed}")


def read_openset(folder: Path, closed: bool = False) -> OpenSetLists:
    """Read the published lists: the MATLAB files of ProbFace's ``proto/blufr``, and ``imagelist_lfw.mat``.

    Args:
        folder: with ``id_lfw.mat``, ``imagelist_lfw.mat`` and ``lfw_{gallery,genuine_probe,impostor_probe}_index.mat``;
            the closed set's end in ``_index_close.mat``.
        closed: which of the two.

    Raises:
        DatasetError: a file is missing or of another form.
    """
    images = folder / "imagelist_lfw.mat"
    try:
        names = lfw_names(read_mat(images, ("imagelist_lfw",))["imagelist_lfw"])
        person = read_mat(folder / "id_lfw.mat", ("id_lfw",))["id_lfw"].ravel().astype(np.int64)
    except (AttributeError, TypeError, ValueError) as error:
        raise DatasetError(f"{images}: its variables have another form than those of ProbFace's lists") from error
    if len(person) != len(names):
        raise DatasetError(f"{images}: {len(names)} images, but id_lfw.mat has {len(person)} people's numbers")
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
