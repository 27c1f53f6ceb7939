"""Any list of pairs: your own CSV, LFW's form, CALFW's and CPLFW's lists.

PATH is the folder that the names of the list are relative to. A list without folds is split into ten.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from facepipe.datasets.pairs.any_pairs import read_pairs
from facepipe.datasets.pairs.lfw_pairs import duplicate_notes
from facepipe.evaluation.damaged_source import embeddings_of_pairs, with_damage
from facepipe.evaluation.option import Option
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols import FARS, VerificationResult, evaluate_pairs


def pairs(
    source: Source | Path | str | Sequence[Path | str],
    pairs: Annotated[Path | str, Option("The list of pairs, in one of several formats.")],
    *,
    form: str = "auto",
    rule: str = "insightface",
    score: str = "cosine",
    on_miss: str = "centre",
    fars: Sequence[float] = (),
    damage: str | None = None,
) -> VerificationResult:
    """Verification on any list of pairs; a list without folds is split into ten.

    Args:
        source: images or embeddings; several paths form an ensemble.
        pairs: the list.
        form: of the list, see `facepipe.datasets.pairs.any_pairs.read_pairs`.
        rule, on_miss, score: see `facepipe.protocols.evaluate_pairs`.
        fars: false-accept rates of the TAR table; empty means 1e-1 … 1e-6.
        damage: protocol of the damaged copies to add.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    images = replace(source_of(source), on_miss=on_miss)
    all_pairs = read_pairs(Path(pairs), form)
    remarks = duplicate_notes(all_pairs)
    for remark in remarks:
        images.note(f"{pairs}: {remark}")
    embeddings, listed = embeddings_of_pairs(images, all_pairs, "pairs", damage)
    result = with_damage(evaluate_pairs(embeddings, listed, rule, on_miss, score, fars or FARS), damage)
    settings = result.settings | ({"repeated": list(remarks)} if remarks else {})
    return replace(result, settings=settings, title=Path(pairs).name)
