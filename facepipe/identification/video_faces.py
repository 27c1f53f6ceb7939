"""Identifying people in a video: decoding, detection, embedding and later stages overlap, in bounded memory."""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from facepipe.alignment import Aligner
from facepipe.detection import Detector, Faces
from facepipe.embedding import Embedder, Embeddings
from facepipe.identification.confidence import confidence
from facepipe.identification.photos import embed_faces
from facepipe.identification.prefetch import read_ahead
from facepipe.identification.scene import Scene, Seen, interpolated
from facepipe.identification.track_names import TrackNames
from facepipe.identification.tracking import Track, Tracker
from facepipe.identification.video import Frame, Video
from facepipe.pipeline import CroppedImage, Cropper, ReadImage

_BATCH, _BATCH_PIXELS = 8, 8_000_000
_HELD_SECONDS, _BYTES = 1.0, 256_000_000
_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
_Frames = tuple[list[Frame], list[CroppedImage | None]]


@dataclass(frozen=True)
class _Tracked:
    """A frame and its faces with their tracks; ``searched`` is False for frames in between."""

    frame: Frame
    searched: bool
    tracks: tuple[Track, ...] = ()
    found: Faces = field(default_factory=Faces.none)
    confidences: np.ndarray = field(default_factory=lambda: np.zeros(0))


class VideoFaces:
    """Finds, tracks and names every face of a video.

    Frames are delayed by up to a second of video, so that a track's first faces already have the name that later faces
    give it; large frames are delayed less: waiting frames share 256 MB at each stage.

    Args:
        video: the video, read to its end.
        detector: see `facepipe.detection.Detector`.
        embedder: of the gallery's model.
        tracker: assigns faces to tracks.
        names: names tracks, and has all of them once the video is read.
        every: search every N-th frame; boxes are interpolated in between.
        images: whether the frames returned have their images, as a copy of the video needs; without them each image is
            dropped as early as possible, so that few wait in memory.

    Attributes:
        dropped: frames of a live source dropped for lack of time.
    """

    def __init__(
        self,
        video: Video,
        detector: Detector,
        embedder: Embedder,
        tracker: Tracker,
        names: TrackNames,
        every: int = 1,
        images: bool = True,
    ) -> None:
        self._video, self._embedder, self._tracker, self._names = video, embedder, tracker, names
        self._cropper = Cropper(Aligner(embedder.model.card.input.template), detector, "all")
        self._every, self._images = every, images
        height, width = video.size
        # Frames that may wait at each of three places: after the decoder, in a batch, and before output.
        room = max(2, _BYTES // (height * width * 3))
        self._hold = min(max(every, int(_HELD_SECONDS * video.fps)), room)
        together = max(1, min(_BATCH, _BATCH_PIXELS // (height * width)))
        self._batch = 1 if video.live else min(together * every, room)
        self.dropped = 0

    def __call__(self, stop: Callable[[float], bool] = lambda _: False) -> Generator[tuple[Frame, Scene], None, None]:
        """All frames in order with their scenes.

        Args:
            stop: called with the time of each frame read; after True the earlier frames are returned and nothing
                more is read.
        """
        held: deque[_Tracked] = deque()
        with closing(read_ahead(self._found(stop), 1, "detect")) as found:
            for frames, results in found:
                held += self._tracked(frames, results)
                while len(held) > self._hold:
                    yield self._release(held)
        self._names.end(self._tracker.open)
        while held:
            yield self._release(held)

    def _found(self, stop: Callable[[float], bool]) -> Generator[_Frames, None, None]:
        """Frames in batches, with the crops of searched frames."""
        drop = self._drop if self._video.live else None
        with closing(read_ahead(self._decoded(stop), self._batch, "decode", drop)) as frames:
            batch: list[Frame] = []
            for number, frame in enumerate(frames):
                batch.append(frame)
                if len(batch) == self._batch:
                    yield self._searched(batch, number + 1 - len(batch))
                    batch = []
            if batch:
                yield self._searched(batch, number + 1 - len(batch))

    def _decoded(self, stop: Callable[[float], bool]) -> Generator[Frame, None, None]:
        """The video's frames; those that will not be searched without their images, if no one needs them."""
        # Frames of a live source may be dropped on the way, so it is not known here which will be searched.
        keep_all = self._images or self._video.live
        for number, frame in enumerate(self._video.frames(stop)):
            yield frame if keep_all or number % self._every == 0 else replace(frame, image=_NO_IMAGE)

    def _searched(self, batch: list[Frame], first: int) -> _Frames:
        crops = self._crops(batch, first)
        return (batch if self._images else [replace(frame, image=_NO_IMAGE) for frame in batch]), crops

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

    def _release(self, held: deque[_Tracked]) -> tuple[Frame, Scene]:
        """Remove the oldest held frame and return it with its scene."""
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
            Seen(box, landmarks, float(score), self._names.of(track), float(value), track.number)
            for box, landmarks, score, value, track in zip(
                found.boxes, found.landmarks, found.scores, tracked.confidences, tracked.tracks, strict=True
            )
        )
        return Scene(self._video.name, tracked.frame.number, tracked.frame.time, faces)
