"""What was seen: the faces of one picture, and the lines that programs read."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from facepipe.detection.faces import PLAIN
from facepipe.identification.identifier import Identity


@dataclass(frozen=True)
class Seen:
    """A face with a name.

    Attributes:
        box: float32 4, (left, top, right, bottom) in pixels of the upright picture.
        landmarks: float32 5×2, as in `facepipe.detection.Faces`.
        detection_score: face probability.
        identity: who it is; in a video that of the face's track.
        confidence: of this face's embedding, see `facepipe.identification.confidence`.
        track: number of the track in a video, None in a photo.
        search: which search found it, see `facepipe.detection.Faces`.
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
        looked: False for a frame between those that were searched: its boxes are interpolated.
        reason: why a photo could not be read; empty when it could.
    """

    source: str
    frame: int
    time: float
    faces: tuple[Seen, ...]
    looked: bool = True
    reason: str = ""


def records(scene: Scene, kind: str) -> list[dict[str, Any]]:
    """One JSON object per face of a scene, or one with the error; none for a frame that was not searched.

    Args:
        scene: what was seen.
        kind: what stands for confidence, see `facepipe.identification.confidence_kind`.
    """
    if scene.reason:
        return [{"source": scene.source, "error": scene.reason}]
    where = {"source": scene.source, "frame": scene.frame, "time": round(scene.time, 6)}
    return [where | _record(face, kind) for face in scene.faces] if scene.looked else []


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
