"""What every protocol returns, and its JSON form."""

from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe import __version__
from facepipe.embedding.precision import mixed_precision
from facepipe.errors import DatasetError
from facepipe.protocols.roc import OperatingPoint
from facepipe.protocols.verification.outcomes import Outcomes

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings


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
        figures: what was measured, as plain JSON values: shares are fractions, counts integers, and a figure
            that the data cannot give is None. TAR at FAR stands under ``tar`` as `tar_table` makes it.
        settings: everything that the figures depend on: model, flip, score, rule, hash of the data, versions ...
        outcomes: what became of each pair, for paired tests between runs; None where there is no such thing.
    """

    protocol: str
    figures: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    outcomes: Outcomes | None = None

    @property
    def accuracy(self) -> float:
        """Mean accuracy over folds, a fraction; nan where the data cannot give it."""
        return _number(self.figures["accuracy"])

    @property
    def std_error(self) -> float:
        """Standard error of the accuracy, σ/√folds with σ over folds (n − 1); nan where there is none."""
        return _number(self.figures["std_error"])

    @property
    def std_dev(self) -> float:
        """Standard deviation of the folds' accuracies (over n, as insightface prints it); nan where there is none."""
        return _number(self.figures.get("std_dev"))

    @property
    def folds(self) -> tuple[FoldResult, ...]:
        """One entry per fold."""
        return tuple(FoldResult(**fold) for fold in self.figures["folds"])

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary for JSON: the figures at the top, ``settings`` and ``outcomes`` below them."""
        told = {"protocol": self.protocol, **self.figures, "settings": self.settings}
        if self.outcomes is not None:
            told["outcomes"] = self.outcomes.as_json()
        return told

    @classmethod
    def from_json(cls, told: Any, where: str | Path) -> "Result":
        """The inverse of `as_json`.

        Args:
            told: what stood in the file.
            where: its name, for the error.

        Raises:
            DatasetError: it is no result.
        """
        try:
            rest = dict(told)
            protocol, settings, outcomes = rest.pop("protocol"), rest.pop("settings"), rest.pop("outcomes", None)
            if not isinstance(protocol, str) or not isinstance(settings, dict):
                raise TypeError(protocol)
            return cls(protocol, rest, settings, None if outcomes is None else Outcomes.from_json(outcomes))
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{where}: not a result of 'facepipe eval ... --json'; make it again") from error


def tar_table(points: tuple[OperatingPoint, ...]) -> list[dict[str, Any]]:
    """Operating points as JSON values: one object for each rate, with the fields of `OperatingPoint`."""
    return [dict(vars(point)) for point in points]


def settings_of(embeddings: "Embeddings", **more: Any) -> dict[str, Any]:
    """Settings of a run: the model, its precision (None where it is not known), what the protocol adds, and the
    versions that computed it; a remark where embeddings of different precision were put together."""
    remark = mixed_precision(embeddings.precision)
    about = {"model": embeddings.model, "flip": embeddings.flip, "precision": embeddings.precision or None}
    return {**about, **more, "versions": versions(), **({"remark": remark} if remark else {})}


def versions() -> dict[str, str]:
    """Versions of facepipe, torch and NumPy, without importing torch."""
    return {"facepipe": __version__, "torch": _version("torch"), "numpy": _version("numpy")}


def _number(figure: float | None) -> float:
    return float("nan") if figure is None else float(figure)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
