"""MegaFace's lists of noise: wrongly labelled probes, and distractors that show people of the probes."""

from collections.abc import Collection, Sequence

import numpy as np

from facepipe.datasets.lines import without_extension
from facepipe.errors import DatasetError
from facepipe.score import unit


def on_list(names: Sequence[str], noises: Collection[str], depth: int) -> np.ndarray:
    """Which photos are on a list of noise, bool N; extensions play no part.

    Args:
        names: paths of photos.
        noises: as the list has them.
        depth: how many parts of a path the list gives: 1 for probes (``Ann_Lee_7.png``), 3 for distractors.
    """
    known = {without_extension(name) for name in noises}
    return np.array(["/".join(without_extension(name).split("/")[-depth:]) in known for name in names], bool)


def replace_noisy_probes(features: np.ndarray, person: np.ndarray, noisy: np.ndarray, seed: int = 0) -> np.ndarray:
    """Put the centre of a person's clean photos, plus a little noise, in place of wrongly labelled ones.

    That is what insightface does for the figures that it publishes; a centre is easier to recognise than a photo, so
    these figures are higher than those without the wrong photos.

    Args:
        features: float N×D.
        person: int64 N.
        noisy: bool N.
        seed: of the noise, uniform in ±0.001.

    Returns:
        float32 N×D, unit rows where they were replaced.

    Raises:
        DatasetError: nothing clean is left of a person.
    """
    out = np.array(features, np.float32)
    random = np.random.default_rng(seed)
    for who in np.unique(person[noisy]):
        own, clean = noisy & (person == who), ~noisy & (person == who)
        if not clean.any():
            raise DatasetError("all photos of a person are on the list of noise; leave them out (drop) instead")
        centre = unit(features[clean]).sum(0)
        out[own] = unit(centre + random.uniform(-0.001, 0.001, (int(own.sum()), features.shape[1])))
    return out
