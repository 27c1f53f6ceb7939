"""BLUFR: LFW at low false-accept rates, and open-set identification.

PATH is the folder of all 13,233 images (Name/Name_0001.jpg). The standard figures are mean − standard deviation
of VR at FAR 0.1 % and of DIR at rank 1 and FAR 1 %, over ten trials.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from facepipe.datasets.samples.digest import files_digest
from facepipe.datasets.templates.blufr import read_blufr
from facepipe.evaluation.option import Option
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols.identification.blufr import BlufrResult, evaluate_blufr


def blufr(
    source: Source | Path | str | Sequence[Path | str],
    lists: Annotated[Path | str, Option("The protocol's blufr_lfw_config.mat.")],
    *,
    score: str = "cosine",
) -> BlufrResult:
    """Verification at low FAR and open-set identification, ten trials.

    Args:
        source: images or embeddings; several paths form an ensemble.
        lists: the protocol's blufr_lfw_config.mat.
        score: see `facepipe.score.score_pairs`.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    file = Path(lists)
    listed = read_blufr(file)
    embeddings = source_of(source).embeddings(listed.names, "LFW")
    return evaluate_blufr(embeddings, listed, score, settings={"data": files_digest([file])})
