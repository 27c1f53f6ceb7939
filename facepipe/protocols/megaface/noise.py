"""MegaFace's lists of noise: wrongly labelled probes, and distractors that show people among the probes."""

from collections.abc import Collection, Sequence

import numpy as np

from facepipe.datasets.lines import without_extension
from facepipe.errors import DatasetError
from facepipe.score import unit


def on_list(names: Sequence[str], noises: Collection[str], depth: int) -> np.ndarray:
    """Which photos are on a noise list, bool N; extensions are ignored.

    Args:
        names: paths of photos.
        noises: entries of the list.
        depth: number of path components in the list: 1 for probes (``Ann_Lee_7.png``), 3 for distractors.
    """
    known = {without_extension(name) for name in noises}
    return np.array(["/".join(without_extension(name).split("/")[-depth:]) in known for name in names], bool)


def replace_noisy_probes(features: np.ndarray, person: np.ndarray, noisy: np.ndarray, seed: int = 0) -> np.ndarray:
    """Replace wrongly labelled photos by the centre of the person's clean photos, plus a little noise.

    This is what insightface does for its published figures; a centre is easier to recognise than a photo, so these
    figures are higher than those without the wrong photos.

    Args:
        features: float N×D.
        person: int64 N.
        noisy: bool N.
        seed: random seed of the noise, uniform in ±0.001.

    Returns:
        float32 N×D, with unit rows where replaced.

    Raises:
        DatasetError: a person has no clean photo.
    """
    out = np.array(features, np.float32)
    random = np.random.default_rng(seed)
    for who in np.unique(person[noisy]):
        wrong, clean = noisy & (person == who), ~noisy & (person == who)
        if not clean.any():
            raise DatasetError("all photos of a person are on the noise list; use drop to leave them out")
        centre = unit(features[clean]).sum(0)
        out[wrong] = unit(centre + random.uniform(-0.001, 0.001, (int(wrong.sum()), features.shape[1])))
    return out
