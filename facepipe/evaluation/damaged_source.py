"""Embeddings of images and of their damaged copies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from facepipe.errors import DatasetError
from facepipe.evaluation.source import Source
from facepipe.parameters import parameter

if TYPE_CHECKING:
    from facepipe.datasets.pairs.lfw_pairs import Pairs
    from facepipe.embedding import Embeddings
    from facepipe.protocols import VerificationResult


def embeddings_of_pairs(
    source: Source, pairs: "Pairs", what: str, damage: str | None, scored: bool = False
) -> tuple["Embeddings", "Pairs"]:
    """Embeddings of the images of a list of pairs, and the list, with damaged copies added if ``damage`` is given.

    Args:
        source: a folder, or a file that an earlier run saved.
        pairs: the clean list, see `mix_damaged`.
        what: the dataset, for the progress bar.
        damage: protocol from `facepipe.datasets.damage`.
        scored: whether to compute detection scores of all crops, clean and damaged.

    Raises:
        DatasetError: a file without damaged copies, several folders or files, or as `Source.embeddings`.
    """
    from facepipe.protocols.risk.damaged import mix_damaged

    if damage is None:
        return source.embeddings(pairs.names, what), pairs
    if len(source.paths) > 1:
        raise DatasetError("damage takes one path; for an ensemble give several models")
    return _damaged(source, pairs.names, what, damage, scored), mix_damaged(pairs, damage)


def with_damage(result: "VerificationResult", damage: str | None) -> "VerificationResult":
    """The result, with ``damage`` in its settings if any was applied."""
    return result if damage is None else replace(result, settings=result.settings | {"damage": damage})


def _damaged(source: Source, names: Sequence[str], what: str, damage: str, scored: bool) -> "Embeddings":
    """Embeddings of the images ``names`` and of a damaged copy of each, with paths from `name_copies`."""
    from facepipe.protocols.risk.damaged import DamagedCropper, name_copies, require_copies

    if source.has_embeddings:
        embeddings = source.embeddings(names, what)
        require_copies(embeddings, str(source.paths[0]), damage)
        return embeddings
    if source.warp != "host":
        raise DatasetError(f"{parameter('warp', source.warp)}: crops are damaged on the host; leave it out")
    scoring = source.sent()
    damaging = replace(
        source,
        # The detector is created where images are embedded: an ONNX Runtime session cannot be sent to a worker.
        wrap=lambda cropper: DamagedCropper(cropper, damage, scoring.detector() if scored else None),
        rename=lambda embeddings: name_copies(embeddings, damage),
    )
    return damaging.embeddings(names, what)
