"""Who is in a video: decoding, detecting, embedding and what comes after run at the same time, in bounded memory."""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facepipe.alignment import Aligner
from facepipe.detection import Detector, Faces
from facepipe.embedding import Embedder, Embeddings
from facepipe.identification.confidence import confidence
from facepipe.identification.interpolate import interpolated
from facepipe.identification.photos import embed_faces
from facepipe.identification.prefetch import read_ahead
from facepipe.identification.scene import Scene, Seen
from facepipe.identification.track_names import TrackNames
from facepipe.identification.tracking import Track, Tracker
from facepipe.identification.video import Frame, Video
from facepipe.pipeline import CroppedImage, Cropper, ReadImage

_TOGETHER, _TOGETHER_PIXELS = 8, 8_000_000
_HELD_SECONDS, _BYTES = 1.0, 256_000_000
_Batch = tuple[list[Frame], list[CroppedImage | None]]


@dataclass(frozen=True)
class _Tracked:
    """A frame and its faces with their tracks; ``searched`` is False for the frames in between."""

    frame: Frame
    searched: bool
    tracks: tuple[Track, ...] = ()
    found: Faces = field(default_factory=Faces.none)
    sure: np.ndarray = field(default_factory=lambda: np.zeros(0))


class VideoFaces:
    """Finds, tracks and names every face of a video.

    A frame comes out up to a second of film after it went in, so that a track's first faces already have the name
    that its next faces give it; large frames are held back less: those that wait share 256 MB at each stage.

    Args:
        video: is read to its end.
        detector: see `facepipe.detection.Detector`.
        embedder: of the gallery's model.
        tracker: joins faces to tracks.
        names: gives tracks their names, and has all tracks once the video is read.
        every: search each N-th frame; between them boxes are interpolated.

    Attributes:
        dropped: frames of a live source that came while nobody had time for them.
    """

    def __init__(
        self,
        video: Video,
        detector: Detector,
        embedder: Embedder,
        tracker: Tracker,
        names: TrackNames,
        every: int = 1,
    ) -> None:
        self._video, self._embedder, self._tracker, self._names = video, embedder, tracker, names
        self._cropper = Cropper(Aligner(embedder.model.card.input.template), detector, "all")
        self._every = every
        height, width = video.size
        # Frames that may wait at each of three places: behind the decoder, in a batch, and before they come out.
        room = max(2, _BYTES // (height * width * 3))
        self._hold = min(max(every, int(_HELD_SECONDS * video.fps)), room)
        self._together = max(1, min(_TOGETHER, _TOGETHER_PIXELS // (height * width)))
        self._batch = 1 if video.live else min(self._together * every, room)
        self.dropped = 0

    def __call__(self, stop: Callable[[float], bool] = lambda _: False) -> Generator[tuple[Frame, Scene], None, None]:
        """Every frame in order with its scene.

        Args:
            stop: asked with the time of each frame that was read; after True those before it come out, and nothing
                more is read.
        """
        held: deque[_Tracked] = deque()
        with closing(read_ahead(self._found(stop), 1, "detect")) as found:
            for frames, results in found:
                held += self._tracked(frames, results)
                while len(held) > self._hold:
                    yield self._shown(held)
        self._names.end(self._tracker.open)
        while held:
            yield self._shown(held)

    def _found(self, stop: Callable[[float], bool]) -> Generator[_Batch, None, None]:
        """Frames in batches, each frame that is searched with its crops."""
        drop = self._drop if self._video.live else None
        with closing(read_ahead(self._video.frames(stop), self._batch, "decode", drop)) as frames:
            batch: list[Frame] = []
            for number, frame in enumerate(frames):
                batch.append(frame)
                if len(batch) == self._batch:
                    yield batch, self._crops(batch, number + 1 - len(batch))
                    batch = []
            if batch:
                yield batch, self._crops(batch, number + 1 - len(batch))

    def _drop(self, _: Frame) -> None:
        self.dropped += 1

    def _crops(self, batch: list[Frame], first: int) -> list[CroppedImage | None]:
        searched = [(first + place) % self._every == 0 for place in range(len(batch))]
        chosen = [ReadImage(Path(), frame.image) for frame, yes in zip(batch, searched, strict=True) if yes]
        results = iter(self._cropper(chosen))
        return [next(results) if yes else None for yes in searched]

    def _tracked(self, frames: list[Frame], results: list[CroppedImage | None]) -> list[_Tracked]:
        searched = [result for result in results if result is not None]
        crops = [crop for result in searched for crop in result.crops]
        faces = embed_faces(crops, searched, self._embedder) if crops else None
        tracked, first = [], 0
        for frame, result in zip(frames, results, strict=True):
            if result is not None:
                self._tracker.searched(frame.time)
            if result is None:
                tracked.append(_Tracked(frame, False))
            elif faces is None or not result.crops:
                tracked.append(_Tracked(frame, True))
            else:
                rows = np.arange(first, first + len(result.crops))
                tracked.append(self._track(frame, result.faces.take(result.chosen), faces.take(rows)))
                first += len(rows)
        self._names.update({t.number: t for seen in tracked for t in seen.tracks}.values())
        return tracked

    def _track(self, frame: Frame, found: Faces, faces: Embeddings) -> _Tracked:
        tracks, ended = self._tracker.update(frame.time, found.boxes, faces)
        self._names.end(ended)
        return _Tracked(frame, True, tuple(tracks), found, confidence(faces))

    def _shown(self, held: deque[_Tracked]) -> tuple[Frame, Scene]:
        """The oldest frame held, which is let go, with its scene."""
        now = held.popleft()
        if now.searched:
            self._before = self._scene(now)
            return now.frame, self._before
        following = next((other for other in held if other.searched), None)
        after = None if following is None else self._scene(following)
        return now.frame, interpolated(self._before, after, now.frame.number, now.frame.time)

    def _scene(self, tracked: _Tracked) -> Scene:
        found = tracked.found
        faces = tuple(
            Seen(box, landmarks, float(score), self._names.of(track), float(sure), track.number)
            for box, landmarks, score, sure, track in zip(
                found.boxes, found.landmarks, found.scores, tracked.sure, tracked.tracks, strict=True
            )
        )
        return Scene(self._video.name, tracked.frame.number, tracked.frame.time, faces)
