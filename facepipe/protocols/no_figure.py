"""Why there is no TAR at a rate: said instead of a figure that the data cannot give."""

import numpy as np


def why_no_tar(genuine: int, impostor: int, lowest: float, highest: float, far: float) -> str:
    """One line, empty when there is a figure.

    Args:
        genuine, impostor: number of pairs.
        lowest, highest: of all scores.
        far: false-accept rate.
    """
    if not genuine:
        return "no genuine pairs"
    if np.floor(far * impostor + 1e-9) < 1:
        return f"{impostor} impostor pairs, fewer than 1/FAR"
    return "all scores are equal" if lowest == highest else ""


def why_no_tar_of(genuine: np.ndarray, impostor: np.ndarray, far: float) -> str:
    """`why_no_tar` of ascending scores."""
    if not len(genuine) or not len(impostor):
        return why_no_tar(len(genuine), len(impostor), 0, 1, far)
    lowest, highest = min(genuine[0], impostor[0]), max(genuine[-1], impostor[-1])
    return why_no_tar(len(genuine), len(impostor), float(lowest), float(highest), far)
