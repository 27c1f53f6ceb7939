"""What every protocol returns."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FoldResult:
    """One fold: accuracy as a fraction on its pairs, and the threshold that the other folds chose."""

    accuracy: float
    threshold: float
    pairs: int


@dataclass(frozen=True)
class Result:
    """The outcome of a protocol.

    Attributes:
        protocol: its name.
        accuracy: mean over folds, a fraction.
        std_error: standard error of that mean, σ/√folds with σ over folds (n − 1).
        folds: one entry per fold.
        settings: everything that the figure depends on: model, flip, rule, counts of missed faces ...
    """

    protocol: str
    accuracy: float
    std_error: float
    folds: tuple[FoldResult, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary for JSON: accuracies as fractions, settings beside them."""
        return {
            "protocol": self.protocol,
            "accuracy": self.accuracy,
            "std_error": self.std_error,
            "folds": [vars(fold) for fold in self.folds],
            **self.settings,
        }
