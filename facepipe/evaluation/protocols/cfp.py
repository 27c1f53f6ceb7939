"""Celebrities in Frontal-Profile: frontal–frontal or frontal–profile.

PATH is CFP's folder (with Data and Protocol). For aligned crops (001/frontal/01.jpg) or embeddings, give the lists too.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from facepipe.datasets.pairs.cfp import cfp_folder, cfp_images, read_cfp_pairs
from facepipe.errors import DatasetError
from facepipe.evaluation.option import Option, checked
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols import FARS, VerificationResult, evaluate_pairs


@checked
def cfp(
    source: Source | Path | str | Sequence[Path | str],
    protocol: Annotated[Path | str | None, Option("CFP's folder Protocol [default: in PATH].")] = None,
    *,
    part: Annotated[str, Option("Which pairs.", choices=("FF", "FP"))] = "FP",
    rule: str = "insightface",
    score: str = "cosine",
    on_miss: str = "centre",
    fars: Sequence[float] = (),
) -> VerificationResult:
    """Verification on CFP: frontal–frontal (FF) or frontal–profile (FP).

    Args:
        source: images or embeddings; several paths form an ensemble.
        protocol: CFP's folder Protocol; None looks in the source's folder.
        part: ``FF`` or ``FP``.
        rule, on_miss, score: see `facepipe.protocols.evaluate_pairs`.
        fars: false-accept rates of the TAR table; empty means 1e-1 … 1e-6.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    images = replace(source_of(source), on_miss=on_miss)
    folder = cfp_folder(images.paths[0]) / "Protocol" if protocol is None else Path(protocol)
    if protocol is None and not folder.is_dir():
        raise DatasetError(f"{images.paths[0]}: has no folder Protocol; pass CFP's as protocol")
    listed = read_cfp_pairs(folder, part)
    embeddings = images.below(cfp_images).embeddings(listed.names, "CFP")
    result = evaluate_pairs(embeddings, listed, rule, on_miss, score, fars or FARS, f"cfp-{part.lower()}")
    return replace(result, title=f"CFP-{part}")
