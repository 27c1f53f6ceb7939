"""Frames of a video file, a stream or a camera, with timestamps."""

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np

from facepipe.errors import FacepipeError
from facepipe.identification.avi_index import whole_frames
from facepipe.identification.gaps import Gap, Pace

# Silence messages about every damaged packet on stderr; the errors below report what matters.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_MIN_FPS, _DEFAULT_FPS, _MAX_FPS, _TRIES = 0.01, 25.0, 240.0, 5

_WITH_COUNT = frozenset((".mp4", ".m4v", ".mov", ".3gp", ".avi"))

_REMEDY = {
    False: "the file is damaged or OpenCV lacks the codec; convert it with 'ffmpeg -i IN -c:v libx264 OUT.mp4'",
    True: "OpenCV lacks the codec, or the server lacks range requests, which many MP4 files need; download it first",
}


class VideoError(FacepipeError):
    """A video is missing, empty, damaged or uses a codec that cannot be read or written."""


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        number: from 0, in the order of the file.
        time: seconds since the first frame, by the file's timestamps; increasing.
        image: uint8 H×W×3 RGB, rotated upright according to the file's metadata.
    """

    number: int
    time: float
    image: np.ndarray


class Video:
    """An opened video; its frames can be read once.

    Args:
        source: a file, a URL (``rtsp://``, ``http://``, ``file://`` ...), or the number of a camera.

    Attributes:
        name: name for errors and results; a URL without its password.
        live: whether it is a live source: a camera, or a stream without a frame count.
        fps: nominal frames per second; 25 if the file does not say.
        count: number of frames according to the file; 0 if unknown.
        counted: whether ``count`` is stored in the container, rather than estimated from length and rate.
        read: number of frames read so far.
        gaps: gaps found so far.
        missing: number of frames that could not be decoded, once read to the end. If the
            container stores no count, an estimate for constant frame rates, otherwise 0.

    Raises:
        VideoError: it cannot be opened or has no decodable frame; the message says why in one line.
    """

    def __init__(self, source: str) -> None:
        self.name = without_password(source)
        source = local_path(source)
        camera, remote = is_camera(source), is_url(source)
        if not camera and not remote:
            _require_file(Path(source))
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = _opened(int(source) if camera else source, self.name, camera)
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self.fps = _plausible(self._capture.get(cv2.CAP_PROP_FPS))
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = int(count) if not camera and 0 < count < 1e9 else 0
        self.live = camera or (remote and self.count == 0)
        self.counted = self.count > 0 and (_named_as_counted(source) if remote else holds_count(Path(source)))
        self.read = 0
        self.gaps: list[Gap] = []
        self.missing = 0
        # Frames of an AVI have no timestamps, only positions.
        self._places = whole_frames(Path(source)) if not remote and _is_avi(source) else iter(())
        self._calls = self._failed = 0
        self._first = self._next()
        self._lost_at_start = self._failed
        self._clock = self._start_time()
        if self._first is None:
            codec = _four_letters(self._capture.get(cv2.CAP_PROP_FOURCC))
            self._capture.release()
            raise VideoError(f"{self.name}: no frame can be decoded (codec {codec}); {_REMEDY[remote]}")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame, upright."""
        assert self._first is not None
        return self._first.shape[0], self._first.shape[1]

    def frames(self, stop: Callable[[float], bool] = lambda _: False) -> Iterator[Frame]:
        """All frames, until the end or until ``stop(time)`` is true.

        Undecodable frames are left out; the times of the others are unaffected.
        """
        began, last = time.monotonic(), -math.inf
        lost, image, pace = self._lost_at_start, self._first, Pace(self.fps)
        start = self._time() - lost / self.fps
        try:
            while image is not None:
                seconds = time.monotonic() - began if self.live else self._time() - start
                skipped = [next(self._places, (-1, 0)) for _ in range(lost + 1)]
                if skipped[-1][0] >= 0:
                    seconds, lost = skipped[-1][0] / self.fps, lost + sum(before for _, before in skipped)
                # Some files have no timestamps, or decreasing ones.
                if seconds <= last or not math.isfinite(seconds):
                    seconds = last + (1 + lost) / self.fps
                if lost:
                    self.gaps.append(Gap(max(last, 0.0), max(seconds, 0.0)))
                if last >= 0:
                    pace.add(last, seconds)
                last = max(seconds, 0.0)
                if stop(last):
                    return
                self.read += 1
                yield Frame(self.read - 1, last, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
                image = self._next()
                lost = self._failed
            self._end(last, pace)
        finally:
            self._capture.release()

    def _end(self, last: float, pace: Pace) -> None:
        """Count the missing frames of a video read to its end, at ``last``."""
        if self.counted:
            self.missing = max(0, self.count - self.read)
            if self.missing and not self.gaps:
                self.gaps.append(Gap(last, None))
        elif self.count:
            gaps, self.missing = pace.gaps(self.count / self.fps - self._clock)
            self.gaps = sorted({*self.gaps, *gaps}, key=lambda gap: gap.first)

    def _start_time(self) -> float:
        """Timestamp of the first frame in seconds: recordings cut from longer ones need not begin at 0.

        Matroska's length counts from timestamp 0, while OpenCV's times count from the first frame.
        """
        ticks = float(self._capture.get(cv2.CAP_PROP_PTS)) if hasattr(cv2, "CAP_PROP_PTS") else 0.0
        return ticks / self.fps if math.isfinite(ticks) and ticks > 0 else 0.0

    def _time(self) -> float:
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000

    def _next(self) -> np.ndarray | None:
        """The next decodable frame, BGR; None at the end.

        An undecodable packet and the end look the same, so up to the claimed number of packets are tried. ``_failed``
        counts the failures before this frame.
        """
        self._failed = 0
        while self._failed < max(_TRIES, self.count - self._calls):
            self._calls += 1
            try:
                done, image = self._capture.read()
            except cv2.error:
                done, image = False, None
            if done and image is not None and image.size:
                return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
            self._failed += 1
        return None


def holds_count(path: Path) -> bool:
    """Whether the container stores the number of frames: MP4 and its relatives and AVI do, Matroska does not."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") or (start[:4] == b"RIFF" and start[8:] == b"AVI ")


def _is_avi(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start[:4] == b"RIFF" and start[8:] == b"AVI "


def _named_as_counted(url: str) -> bool:
    """`holds_count` for a remote video, by its name."""
    return PurePosixPath(unquote(urlsplit(url).path)).suffix.lower() in _WITH_COUNT


def local_path(source: str) -> str:
    """The path of a ``file:`` URL; any other source unchanged."""
    parts = urlsplit(source) if source[:5].lower() == "file:" else None
    if parts is None or parts.netloc not in ("", "localhost"):
        return source
    from urllib.request import url2pathname  # imports a web client, which photos do not need

    return url2pathname(parts.path)


def is_camera(source: str) -> bool:
    """Whether ``source`` is the number of a camera rather than a file."""
    return source.isdecimal() and not Path(source).exists()


def is_url(source: str) -> bool:
    """Whether ``source`` is the address of a stream."""
    return "://" in source


def _require_file(path: Path) -> None:
    if not path.exists():
        raise VideoError(f"{path}: no such file; check the path")
    if not path.is_file() and not path.is_char_device():
        raise VideoError(f"{path}: not a regular file; give a video file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty (0 bytes); copy or record it again")


def _opened(source: str | int, name: str, camera: bool) -> cv2.VideoCapture:
    try:
        capture = cv2.VideoCapture(source)
    except cv2.error as error:
        raise VideoError(f"{name}: cannot be opened as a video ({error})") from error
    if capture.isOpened():
        return capture
    if camera:
        raise VideoError(f"camera {name}: no camera with this number, or it is in use by another program")
    if isinstance(source, str) and is_url(source):
        raise VideoError(f"{name}: the stream cannot be opened; check the address and that it is running")
    raise VideoError(f"{name}: OpenCV cannot open this video; it is damaged, truncated, or in an unsupported format")


def _plausible(fps: float) -> float:
    return fps if _MIN_FPS <= fps <= _MAX_FPS else _DEFAULT_FPS


def _four_letters(code: float) -> str:
    letters = int(code).to_bytes(4, "little", signed=int(code) < 0).decode("latin-1")
    return letters if letters.isprintable() and letters.strip() else "unknown"


def without_password(source: str) -> str:
    """A source in a form safe to show and store."""
    if not is_url(source):
        return source
    parts = urlsplit(source)
    return parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]).geturl()
