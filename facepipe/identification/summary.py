"""Summaries: who was seen, when, and for how long."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from facepipe.identification.gallery import UNKNOWN
from facepipe.identification.scene import Scene
from facepipe.identification.track_names import Appearance
from facepipe.identification.video import Video

_GAP = 1.0


class PhotoSummary:
    """Counts the people in photos."""

    def __init__(self) -> None:
        self.photos = self.unreadable = self.without_faces = 0
        self._people: dict[str, dict[str, Any]] = {}

    def add(self, scene: Scene) -> None:
        """Add a photo."""
        self.photos += 1
        self.unreadable += bool(scene.reason)
        self.without_faces += not scene.faces and not scene.reason
        for face in scene.faces:
            person = self._people.setdefault(face.identity.name, {"faces": 0, "photos": [], "best_score": -1.0})
            person["faces"] += 1
            if scene.source not in person["photos"][-1:]:
                person["photos"].append(scene.source)
            person["best_score"] = max(person["best_score"], face.identity.score)

    def as_json(self) -> dict[str, Any]:
        """Photos, and people by name, with ``unknown`` last."""
        counts = {"photos": self.photos, "unreadable": self.unreadable, "without_faces": self.without_faces}
        return counts | {"people": _unknown_last(self._people)}


def video_summary(
    source: str,
    seconds: float,
    frames: int,
    tracks: Iterable[Appearance],
    every: int = 1,
    lost: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Summary of a video.

    Args:
        source: name of the video.
        seconds: its length.
        frames: number of frames read.
        tracks: all tracks, with their final names.
        every: every N-th frame was searched.
        lost: ``undecodable`` and ``dropped`` frames, and ``gaps``, see `lost_frames`.

    Returns:
        JSON value: per person the intervals (from, to) in seconds in which one of their tracks was seen (joined
        if less than a second apart), their total length, tracks, faces and best
        score. ``unknown`` is everybody without a name: its tracks may be one person or several.
    """
    by_name: dict[str, list[Appearance]] = {}
    for track in sorted(tracks, key=lambda track: (track.first, track.track)):
        by_name.setdefault(track.identity.name, []).append(track)
    lost = lost or {"undecodable": 0, "dropped": 0, "gaps": []}
    frame = seconds / (frames + lost["undecodable"]) if frames else 0.0
    people = {name: _person(appearances, frame, every, seconds) for name, appearances in sorted(by_name.items())}
    account = {"source": source, "seconds": round(seconds, 3), "frames": frames} | dict(lost)
    return account | {"people": _unknown_last(people)}


def lost_frames(video: Video, dropped: int) -> dict[str, Any]:
    """Frames of a video that were not searched: undecodable ones, those dropped for lack of time, and gaps."""
    gaps = [[round(gap.first, 3), None if gap.last is None else round(gap.last, 3)] for gap in video.gaps]
    return {"undecodable": video.missing, "dropped": dropped, "gaps": gaps}


def _person(tracks: Sequence[Appearance], frame: float, every: int, end: float) -> dict[str, Any]:
    intervals: list[list[float]] = []
    # A detection holds until the next searched frame, so that neighbouring steps touch. Somebody not found for a second
    # is away.
    for first, finish in sorted(span for track in tracks for span in track.spans()):
        last = max(first, min(finish + every * frame, end))
        if intervals and first - intervals[-1][1] < _GAP:
            intervals[-1][1] = max(intervals[-1][1], last)
        else:
            intervals.append([first, last])
    return {
        "seconds": round(sum(last - first for first, last in intervals), 3),
        "intervals": [[round(first, 3), round(last, 3)] for first, last in intervals],
        "tracks": len(tracks),
        "faces": sum(track.faces for track in tracks),
        "best_score": max(track.identity.score for track in tracks),
    }


def _unknown_last(people: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(people.items(), key=lambda entry: (entry[0] == UNKNOWN, entry[0])))
