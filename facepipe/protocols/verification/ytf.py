"""YouTube Faces (Wolf et al. 2011): frames pooled to one embedding per video, then verification of video pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.datasets.pairs.ytf import frame_number, subsample
from facepipe.errors import DatasetError
from facepipe.protocols.result import IF_ANY
from facepipe.protocols.roc import FARS
from facepipe.protocols.verification.pairs import PairsResult, evaluate_pairs
from facepipe.protocols.verification.summary import pairs_summary
from facepipe.score.pool import pool
from facepipe.tables import Note, Summary, counted

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

_DEPTH = 2


@dataclass(frozen=True, kw_only=True)
class VideosResult(PairsResult):
    """Verification of pairs of videos.

    Attributes:
        undetected: number of videos without a detected face in any frame.
        reasons: figure → why it is missing.
        frames, frames_without_face, frames_unreadable: numbers of frames used, left out, and unreadable.
        videos: number of videos in the list.
    """

    undetected: int
    reasons: dict[str, str] = field(default_factory=dict, metadata=IF_ANY)
    frames: int
    frames_without_face: int
    frames_unreadable: int
    videos: int

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        yield from pairs_summary(self, counted(self.videos, "video"), self.undetected, self.reasons)
        yield Note(f"{counted(self.frames, 'frame')} used, {self.frames_without_face} without a face left out")


def evaluate_ytf(
    frames: "Embeddings",
    pairs: Pairs,
    pooling: str = "mean",
    rule: str = "insightface",
    on_miss: str = "centre",
    score: str = "cosine",
    fars: Sequence[float] = FARS,
    most: int | None = None,
) -> VideosResult:
    """Verification of pairs of videos.

    Frames without a detected face are left out of their video, unless it has no other.

    Args:
        frames: embeddings of the frames; paths end in ``NAME/VIDEO/FRAME``. Other videos are ignored.
        pairs: from `facepipe.datasets.pairs.ytf.read_ytf_pairs`.
        pooling: a rule of `facepipe.score.pool.pool`: ``mean`` of the frames' directions, ``kappa`` or
            ``sigma2`` by confidence ...
        rule, on_miss, score, fars: see `evaluate_pairs`.
        most: most frames per video; of more, this many evenly spaced ones are used.

    Raises:
        DatasetError: a video has no frames, or see `evaluate_pairs`.
        EmbeddingsError: the embeddings lack what pooling or score needs.
    """
    number = {name: index for index, name in enumerate(pairs.names)}
    video = np.array([number.get(_video(path), -1) for path in frames.paths], np.int64)
    if on_miss != "skip":
        _require_all(video, pairs)
    if most is not None:
        video = np.where(_spread(frames.paths, video, most), video, -1)
    used = _used(video, frames.detected, len(pairs.names))
    present, place = np.unique(video[used], return_inverse=True)
    pooled = pool(frames.take(used), place, pooling, count=len(present))
    # Extensions are removed later, and a video folder may have a dot in its name.
    pooled = pooled.with_paths([f"{pairs.names[index]}.jpg" for index in present])
    result = evaluate_pairs(pooled, pairs, rule, on_miss, score, fars, protocol="ytf")
    fields = dict(vars(result))
    fields |= {"settings": result.settings | {"pool": pooling, "most_frames": most}, "videos": fields.pop("images")}
    return VideosResult(
        **fields,
        frames=int(used.sum()),
        frames_without_face=int((video >= 0).sum() - used.sum()),
        frames_unreadable=sum(_video(path) in number for path, _ in frames.failed),
    )


def _spread(paths: Sequence[str], video: np.ndarray, most: int) -> np.ndarray:
    """Which frames are among the ``most`` chosen of their video, bool N."""
    by_video: dict[int, list[Path]] = {}
    row_of: dict[Path, int] = {}
    for row in np.flatnonzero(video >= 0).tolist():
        path = Path(paths[row])
        row_of[path] = row
        by_video.setdefault(int(video[row]), []).append(path)
    chosen = np.zeros(len(video), bool)
    for found in by_video.values():
        chosen[[row_of[path] for path in subsample(sorted(found, key=frame_number), most)]] = True
    return chosen


def _video(path: str) -> str:
    """The video of a frame; empty for a second face of a frame (``3.618.jpg#1``)."""
    if "#" in path.rpartition(".")[2]:
        return ""
    return "/".join(path.replace("\\", "/").split("/")[-_DEPTH - 1 : -1])


def _require_all(video: np.ndarray, pairs: Pairs) -> None:
    counts = np.bincount(video[video >= 0], minlength=len(pairs.names))
    if not counts.all():
        first = pairs.names[int(counts.argmin())]
        missing = int((counts == 0).sum())
        raise DatasetError(f"{first}: no frames of this video ({missing} of {counted(len(counts), 'video')} missing)")


def _used(video: np.ndarray, detected: np.ndarray, count: int) -> np.ndarray:
    """Frames with a face, and all frames of videos without any; bool N."""
    seen = np.bincount(video[(video >= 0) & detected], minlength=count) > 0
    return (video >= 0) & (detected | ~seen[video])
