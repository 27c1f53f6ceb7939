"""Keeping only the highest of very many scores, which is enough for a threshold at a small FAR."""

import numpy as np

from facepipe.protocols.roc import OperatingPoint, clopper_pearson, why_no_tar
from facepipe.score.threshold import require_finite_scores, threshold_at_far


class TopScores:
    """Keeps the ``keep`` highest impostor scores and the count of all.

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
        """Add scores of any shape.

        Raises:
            EmbeddingsError: a score is not finite.
        """
        flat = scores.ravel()
        if not len(flat):
            return
        lowest = flat.min()
        require_finite_scores(np.array([lowest, flat.max()]))  # min and max propagate NaN
        self.total += len(flat)
        self.lowest = min(self.lowest, float(lowest))
        # Scores equal to the floor can be dropped: enough scores at or above it are kept.
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

    def _why_no_tar(self, genuine: np.ndarray, far: float, top: np.ndarray) -> str:
        if not len(genuine) or not len(top):
            return why_no_tar(len(genuine), self.total, 0, 1, far)
        lowest, highest = min(float(genuine.min()), self.lowest), max(genuine.max(), top[-1])
        return why_no_tar(len(genuine), self.total, lowest, float(highest), far)

    def point(self, genuine: np.ndarray, far: float, confidence: float = 0.95) -> OperatingPoint:
        """TAR at ``far``, equal to `facepipe.protocols.roc.tar_at_far` on all scores.

        Args:
            genuine: float N, in the dtype of the impostor scores.
            far: needs ⌊far·N⌋ + 1 scores to be kept.
            confidence: of the interval.
        """
        allowed = int(np.floor(far * self.total + 1e-9))
        top = self.highest
        reason = self._why_no_tar(genuine, far, top)
        if not reason and allowed >= len(top) and len(top) < self.total:
            reason = f"only the {len(top)} highest impostor scores were kept"
        if reason:
            return OperatingPoint(far, None, None, None, None, reason=reason)
        # The scores that may pass and the next one determine the threshold.
        tail = top[-min(allowed + 1, len(top)) :]
        threshold = threshold_at_far(tail, allowed / (allowed + 1)) if allowed < self.total else float(top[0])
        accepted = int((genuine >= genuine.dtype.type(threshold)).sum())
        low, high = clopper_pearson(accepted, len(genuine), confidence)
        reached = int((tail >= tail.dtype.type(threshold)).sum()) / self.total
        return OperatingPoint(far, accepted / len(genuine), threshold, low, high, reached)
