"""The faces of one picture: their JSON records, and interpolation between frames of a video."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facepipe.detection.faces import PLAIN
from facepipe.identification.identifier import Identity


@dataclass(frozen=True)
class Seen:
    """An identified face.

    Attributes:
        box: float32 4, (left, top, right, bottom) in pixels of the upright picture.
        landmarks: float32 5×2, as in `facepipe.detection.Faces`.
        detection_score: face probability.
        identity: its identity; in a video that of its track.
        confidence: of this face's embedding, see `facepipe.identification.confidence`.
        track: number of the track in a video, None in a photo.
        search: the search that found it, see `facepipe.detection.Faces`.
    """

    box: np.ndarray
    landmarks: np.ndarray
    detection_score: float
    identity: Identity
    confidence: float
    track: int | None = None
    search: str = PLAIN


@dataclass(frozen=True)
class Scene:
    """One picture: a photo, or a frame of a video.

    Attributes:
        source: the file, URL or camera.
        frame: number of the frame from 0; 0 for a photo.
        time: seconds since the start; 0 for a photo.
        faces: best detection score first.
        searched: False for a frame between searched ones, with interpolated boxes.
        reason: why a photo could not be read; empty if it could.
    """

    source: str
    frame: int
    time: float
    faces: tuple[Seen, ...]
    searched: bool = True
    reason: str = ""


def records(scene: Scene, kind: str) -> list[dict[str, Any]]:
    """One JSON object per face of a scene, or one with the error; none for a frame that was not searched.

    Args:
        scene: the scene.
        kind: the measure of confidence, see `facepipe.identification.confidence_kind`.
    """
    if scene.reason:
        return [{"source": scene.source, "error": scene.reason}]
    where = {"source": scene.source, "frame": scene.frame, "time": round(scene.time, 6)}
    return [where | _record(face, kind) for face in scene.faces] if scene.searched else []


def _record(face: Seen, kind: str) -> dict[str, Any]:
    identity = face.identity
    return {
        "track": face.track,
        "box": face.box.tolist(),
        "landmarks": face.landmarks.tolist(),
        "detection_score": face.detection_score,
        "search": face.search,
        "name": identity.name,
        "score": identity.score,
        "nearest": identity.nearest,
        "runner_up": identity.runner_up,
        "runner_up_score": identity.runner_up_score,
        "confidence": face.confidence,
        "confidence_kind": kind,
    }


def interpolated(before: Scene, after: Scene | None, frame: int, time: float) -> Scene:
    """The scene of a frame between two that were searched.

    A face in both scenes moves in a straight line; one only in the earlier scene stays until halfway, and one only in
    the later scene appears from halfway on.

    Args:
        before: the last searched scene.
        after: the next searched scene; None at the end of the video, where faces stay in place.
        frame, time: of this frame.
    """
    if after is None:
        return Scene(before.source, frame, time, before.faces, searched=False)
    span = after.time - before.time
    share = (time - before.time) / span if span > 0 else 1.0
    ends = {face.track: face for face in after.faces}
    present = {face.track for face in before.faces}
    faces = [
        _moved(face, ends[face.track], share) if face.track in ends else face
        for face in before.faces
        if face.track in ends or share < 0.5
    ]
    appearing = [face for face in after.faces if face.track not in present and share >= 0.5]
    return Scene(before.source, frame, time, (*faces, *appearing), searched=False)


def _moved(face: Seen, end: Seen, share: float) -> Seen:
    box = face.box + (end.box - face.box) * share
    return replace(face, box=box, landmarks=face.landmarks + (end.landmarks - face.landmarks) * share)
