"""Labeled Faces in the Wild, view 2: ten-fold verification accuracy.

PATH is the folder of raw images (name/name_0001.jpg). Reports the mean of the folds, its standard error, TAR at FAR,
and how many images had no detected face.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from facepipe.datasets.pairs.lfw_pairs import read_lfw_pairs
from facepipe.evaluation.damaged_source import embeddings_of_pairs, with_damage
from facepipe.evaluation.option import Option
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols import FARS, VerificationResult, evaluate_lfw


def lfw(
    source: Source | Path | str | Sequence[Path | str],
    pairs: Annotated[Path | str, Option("LFW's pairs.txt.")],
    *,
    rule: str = "sphereface",
    score: str = "cosine",
    on_miss: str = "centre",
    fars: Sequence[float] = (),
    damage: str | None = None,
) -> VerificationResult:
    """Ten-fold verification accuracy on LFW, and TAR at FAR.

    Args:
        source: images or embeddings; several paths form an ensemble.
        pairs: LFW's pairs.txt.
        rule, on_miss, score: see `facepipe.protocols.evaluate_pairs`.
        fars: false-accept rates of the TAR table; empty means 1e-1 … 1e-6.
        damage: protocol of the damaged copies to add.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    images = replace(source_of(source), on_miss=on_miss)
    embeddings, listed = embeddings_of_pairs(images, read_lfw_pairs(Path(pairs)), "LFW", damage)
    result = with_damage(evaluate_lfw(embeddings, listed, rule, on_miss, score, fars or FARS), damage)
    return replace(result, title="LFW view 2")
