"""YouTube Faces: pairs of videos, frames pooled.

PATH is frame_images_DB or aligned_images_DB (NAME/VIDEO/*.jpg). A frame without a detected face is left out, unless its
video has no other.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from facepipe.datasets.pairs.ytf import list_frames, read_ytf_pairs
from facepipe.evaluation.option import Option
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols import FARS
from facepipe.protocols.verification.ytf import VideosResult, evaluate_ytf


def ytf(
    source: Source | Path | str | Sequence[Path | str],
    splits: Annotated[Path | str, Option("YouTube Faces' splits.txt or meta_and_splits.mat.")],
    *,
    pool: str = "mean",
    frames: Annotated[
        int | None, Option("Use at most this many frames per video, evenly spaced.", least=1)
    ] = None,
    rule: str = "insightface",
    score: str = "cosine",
    on_miss: str = "centre",
    fars: Sequence[float] = (),
) -> VideosResult:
    """Ten-fold verification of pairs of videos.

    A frame without a detected face is left out, unless its video has no other.

    Args:
        source: images or embeddings; several paths form an ensemble.
        splits: splits.txt or meta_and_splits.mat.
        pool: how the frames of a video are pooled into one embedding, see `facepipe.score.pool`.
        frames: at most this many per video, evenly spaced.
        rule, on_miss, score: see `facepipe.protocols.evaluate_pairs`.
        fars: false-accept rates of the TAR table; empty means 1e-1 … 1e-6.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    listed = read_ytf_pairs(Path(splits))
    leave = on_miss == "skip"
    embeddings = source_of(source).listed(
        lambda folder: list_frames(folder, listed.names, frames, leave), "YouTube Faces"
    )
    result = evaluate_ytf(embeddings, listed, pool, rule, on_miss, score, fars or FARS, frames)
    return replace(result, title=f"YouTube Faces, pooled by {pool}")
