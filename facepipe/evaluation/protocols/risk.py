"""How well a confidence measure selects the pairs to reject (ProbFace's table, AUERC)."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.datasets.pairs.any_pairs import read_pairs
from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.errors import DatasetError
from facepipe.evaluation.damaged_source import embeddings_of_pairs
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols.risk.risk_controlled import RiskResult, evaluate_risk
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings


def risk(
    source: Source | Path | str | Sequence[Path | str],
    pairs: Path | str,
    *,
    form: str = "auto",
    confidences: Sequence[str] = (),
    pair_rule: str = "max",
    score: str = "cosine",
    fmr: float = 1e-3,
    damage: str | None = None,
    seed: int = 0,
) -> RiskResult:
    """How well a confidence measure selects the pairs to reject.

    Args:
        source: images or embeddings.
        pairs: the list.
        form: of the list, see `facepipe.datasets.pairs.any_pairs.read_pairs`.
        confidences, pair_rule, score, fmr, seed: see `facepipe.protocols.risk.risk_controlled.evaluate_risk`.
        damage: protocol of the damaged copies to add.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the embeddings lack a requested confidence.
    """
    return risk_and_embeddings(
        source, pairs, form=form, confidences=confidences, pair_rule=pair_rule, score=score, fmr=fmr, damage=damage,
        seed=seed,
    )[0]  # fmt: skip


def _require_measurable(path: Path, pairs: Pairs, fmr: float, copies: int) -> None:
    """Check before any work that the list supports the requested figures.

    Raises:
        DatasetError: it has no genuine pairs, or too few impostor pairs for the false-match rate.
    """
    genuine, impostor = int(pairs.same.sum()), copies * int((~pairs.same).sum())
    if not genuine:
        raise DatasetError(f"{path}: it has no pairs of one person, so there is no false non-match rate")
    if impostor * fmr < 1 - 1e-9:
        least = f"; the lowest possible fmr is {_least(impostor):g}" if impostor else ""
        found = counted(impostor, "pair of different people")
        message = f"{found}, and a false-match rate of {fmr:g} needs {math.ceil(1 / fmr)}"
        raise DatasetError(f"{path}: {message}{least}")


def _least(impostor: int) -> float:
    """The lowest false-match rate that this many pairs can measure, rounded up to two digits."""
    scale = 10 ** (len(str(impostor)) + 1)
    return float(math.ceil(scale / impostor) / scale)


def risk_and_embeddings(
    source: Source | Path | str | Sequence[Path | str],
    pairs: Path | str,
    *,
    form: str,
    confidences: Sequence[str],
    pair_rule: str,
    score: str,
    fmr: float,
    damage: str | None,
    seed: int,
) -> "tuple[RiskResult, Embeddings]":
    """`risk`, with the embeddings it used, for pictures of the faces."""
    scored = not confidences or "detection_score" in confidences
    listed = read_pairs(Path(pairs), form)
    _require_measurable(Path(pairs), listed, fmr, copies=1 if damage is None else 2)
    embeddings, listed = embeddings_of_pairs(source_of(source), listed, "risk", damage, scored)
    result = evaluate_risk(embeddings, listed, confidences, score, pair_rule, fmr, seed=seed)
    return replace(result, settings=result.settings | {"damage": damage}), embeddings
