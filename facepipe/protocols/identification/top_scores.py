"""The highest of very many scores, kept while the others pass by: what a threshold at a small FAR needs."""

import numpy as np

from facepipe.protocols.roc import OperatingPoint, clopper_pearson, why_no_tar
from facepipe.score.threshold import require_finite_scores, threshold_at_far


class TopScores:
    """Keeps the ``keep`` highest impostor scores and counts all.

    Args:
        keep: for a rate ``far`` among N scores, at least ⌊far·N⌋ + 1.
    """

    def __init__(self, keep: int) -> None:
        self._keep = max(2, keep)
        self._parts: list[np.ndarray] = []
        self._waiting = 0
        self._floor = -np.inf
        self.total = 0
        self.lowest = np.inf

    def add(self, scores: np.ndarray) -> None:
        """Take note of scores of any shape.

        Raises:
            EmbeddingsError: one is not finite.
        """
        flat = scores.ravel()
        if not len(flat):
            return
        lowest = flat.min()
        require_finite_scores(np.array([lowest, flat.max()]))  # NaN is the lowest and the highest where there is one
        self.total += len(flat)
        self.lowest = min(self.lowest, float(lowest))
        # Equal to the floor changes nothing: as many as are kept are at or above it.
        self._parts.append(flat[flat > self._floor])
        self._waiting += len(self._parts[-1])
        if self._waiting > 2 * self._keep:
            self._settle()

    def _settle(self) -> None:
        scores = np.concatenate(self._parts)
        if len(scores) > self._keep:
            scores = np.partition(scores, len(scores) - self._keep)[-self._keep :]
            self._floor = scores.min()
        self._parts, self._waiting = [scores], len(scores)

    @property
    def highest(self) -> np.ndarray:
        """The scores kept, ascending."""
        if not self._parts:
            return np.zeros(0, np.float32)
        self._settle()
        return np.sort(self._parts[0])

    def _why_silent(self, genuine: np.ndarray, far: float, top: np.ndarray) -> str:
        if not len(genuine) or not len(top):
            return why_no_tar(len(genuine), self.total, 0, 1, far)
        lowest, highest = min(float(genuine.min()), self.lowest), max(genuine.max(), top[-1])
        return why_no_tar(len(genuine), self.total, lowest, float(highest), far)

    def point(self, genuine: np.ndarray, far: float, confidence: float = 0.95) -> OperatingPoint:
        """TAR at ``far`` as `facepipe.protocols.roc.tar_at_far` gives it from all scores.

        Args:
            genuine: float N, in the dtype of the impostor scores.
            far: needs ⌊far·N⌋ + 1 scores to be kept.
            confidence: of the interval.
        """
        allowed = int(np.floor(far * self.total + 1e-9))
        top = self.highest
        reason = self._why_silent(genuine, far, top)
        if not reason and allowed >= len(top) and len(top) < self.total:
            reason = f"only the {len(top)} highest impostor scores were kept"
        if reason:
            return OperatingPoint(far, None, None, None, None, reason=reason)
        # Among the scores down to the one after the last that may pass, the threshold is the same.
        tail = top[-min(allowed + 1, len(top)) :]
        threshold = threshold_at_far(tail, allowed / (allowed + 1)) if allowed < self.total else float(top[0])
        accepted = int((genuine >= genuine.dtype.type(threshold)).sum())
        low, high = clopper_pearson(accepted, len(genuine), confidence)
        reached = int((tail >= tail.dtype.type(threshold)).sum()) / self.total
        return OperatingPoint(far, accepted / len(genuine), threshold, low, high, reached)
