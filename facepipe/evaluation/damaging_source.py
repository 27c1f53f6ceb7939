"""Embeddings of images and of their damaged copies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from facepipe.errors import DatasetError
from facepipe.evaluation.source import Source

if TYPE_CHECKING:
    from facepipe.datasets.pairs.lfw_pairs import Pairs
    from facepipe.embedding import Embeddings
    from facepipe.protocols import VerificationResult


def embeddings_of_pairs(
    source: Source, pairs: "Pairs", what: str, damage: str | None, scored: bool = False
) -> tuple["Embeddings", "Pairs"]:
    """Embeddings for a list of pairs, and the list, with damaged copies mixed in where ``damage`` is not None.

    Args:
        source: a folder, or a file that an earlier run saved.
        pairs: the clean list; `mix_damaged` says what becomes of it.
        what: the dataset, for the progress bar.
        damage: protocol of `facepipe.datasets.damage`.
        scored: whether a detector looks at all crops, clean and damaged, for their detection scores.

    Raises:
        DatasetError: a file without damaged copies, several folders or files, or as `Source.embeddings`.
    """
    from facepipe.protocols.risk.damaged import mix_damaged

    if damage is None:
        return source.embeddings(pairs.names, what), pairs
    if len(source.paths) > 1:
        raise DatasetError("damage takes one path; several models over one folder make an ensemble too")
    return _damaged(source, pairs.names, what, damage, scored), mix_damaged(pairs, damage)


def with_damage(result: "VerificationResult", damage: str | None) -> "VerificationResult":
    """The result, with ``damage`` among its settings where there was any."""
    return result if damage is None else replace(result, settings=result.settings | {"damage": damage})


def _damaged(source: Source, names: Sequence[str], what: str, damage: str, scored: bool) -> "Embeddings":
    """Embeddings of the images ``names`` and of a damaged copy of each, under paths as `name_copies` gives them."""
    from facepipe.protocols.risk.damaged import DamagedCropper, name_copies, require_copies

    if source.has_embeddings:
        embeddings = source.embeddings(names, what)
        require_copies(embeddings, str(source.paths[0]), damage)
        return embeddings
    scoring = source.sent()
    damaging = replace(
        source,
        # The detector is made where the images are embedded: one of ONNX Runtime cannot be sent to a worker.
        wrap=lambda cropper: DamagedCropper(cropper, damage, scoring.detector() if scored else None),
        rename=lambda embeddings: name_copies(embeddings, damage),
    )
    return damaging.embeddings(names, what)
