"""Writing videos that any player opens, following the timestamps of their frames."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from facepipe.errors import Ended
from facepipe.files import replacing
from facepipe.identification.video import VideoError, holds_count
from facepipe.tables import counted

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
_SOUND_COPIED, _SOUND_ENCODED = ("-c", "copy"), ("-c:v", "copy", "-c:a", "aac")


class Recorder:
    """Writes frames to a video of constant rate; a context manager.

    The file gets its name when the block ends, also on an error or Ctrl-C, then with the frames written so far; on
    `Ended` there is no file. It is first reopened and its frames counted, since OpenCV does not report a full disk.
    Frames are repeated or dropped so that each is shown at its time: a video with variable frame rate keeps its pace
    and length.

    Args:
        path: ends in ``.mp4``, ``.m4v``, ``.mov``, ``.mkv`` or ``.avi``.
        fps: frames per second.
        size: (height, width); odd sides lose a pixel, as codecs require, and frames of another size are
            scaled to it.
        sound_of: file or URL of a video to copy the sound from, if the program ``ffmpeg`` is installed.

    Attributes:
        silent: why there is no sound, or empty.
        done: whether the file was completed under its name.

    Raises:
        VideoError: unknown extension, or the file cannot be written.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int], sound_of: str | None = None) -> None:
        require_codec(path)
        self.path, self._fps, self._sound_of = path, fps, sound_of
        self._size = max(2, size[1] // 2 * 2), max(2, size[0] // 2 * 2)
        self.silent = ""
        self.done = False
        self._written = 0
        self._waiting: np.ndarray | None = None

    def __enter__(self) -> "Recorder":
        self._replacing = replacing(self.path)
        self._temporary = self._replacing.__enter__()
        # OpenCV chooses the container by the extension.
        self._raw = self._temporary.with_name(self._temporary.name + self.path.suffix)
        code = cv2.VideoWriter.fourcc(*CODECS[self.path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(self._raw), code, self._fps, self._size)
        if not self._writer.isOpened():
            self._raw.unlink(missing_ok=True)
            self._temporary.touch()
            self._replacing.__exit__(OSError, OSError(), None)
            raise VideoError(f"{self.path}: cannot be written; check that the folder exists and the disk is not full")
        return self

    def write(self, time: float, image: np.ndarray) -> None:
        """Show ``image`` (uint8 H×W×3 RGB) from ``time``, in seconds since the first frame."""
        self._repeat(round(time * self._fps))
        width, height = self._size
        image = image[:height, :width] if _almost(image, self._size) else cv2.resize(image, self._size)
        self._waiting = np.ascontiguousarray(image[:, :, ::-1])

    def _repeat(self, until: int) -> None:
        """Repeat the waiting frame up to the next one's position."""
        while self._waiting is not None and self._written < until:
            self._writer.write(self._waiting)
            self._written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed: BaseException | None = error if isinstance(error, Ended) else None
        try:
            if failed is None:
                self._repeat(self._written + 1)
            self._writer.release()
            if failed is None:
                self._check(self._raw)
                self._add_sound()
                self._raw.replace(self._temporary)
        except BaseException as other:
            failed = other
            raise
        finally:
            self._raw.unlink(missing_ok=True)
            self._give_name(failed)

    def _give_name(self, failed: BaseException | None) -> None:
        """Rename the temporary file, or remove it."""
        if failed is None:
            self._replacing.__exit__(None, None, None)
            self.done = True
            return
        with suppress(BaseException):  # it reraises the given exception
            self._replacing.__exit__(type(failed), failed, None)

    def _check(self, path: Path) -> None:
        """Check the number of frames if the container stores it, and decode one.

        Raises:
            VideoError: the file is incomplete.
        """
        capture = cv2.VideoCapture(str(path))
        try:
            plays = capture.isOpened() and (self._written == 0 or capture.read()[0])
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        finally:
            capture.release()
        if not plays or (holds_count(path) and count != self._written):
            message = f"{count} of {counted(self._written, 'frame')}" if plays else "nothing playable"
            raise VideoError(f"{self.path}: {message} written; is the disk full?")

    def _add_sound(self) -> None:
        if self._sound_of is None:
            return
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            self.silent = "without sound: the program ffmpeg, which would copy it, is not installed"
            return
        both = self._raw.with_name(f"sound-{self._raw.name.lstrip('.')}")
        seconds = f"{self._written / self._fps:.3f}"
        sources = ["-i", str(self._raw), "-i", self._sound_of, "-map", "0:v:0", "-map", "1:a?"]
        try:
            for codecs in (_SOUND_COPIED, _SOUND_ENCODED):
                command = [ffmpeg, "-v", "error", "-nostdin", "-y", *sources, *codecs, "-t", seconds, str(both)]
                if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                    both.replace(self._raw)
                    return
            self.silent = "without sound: ffmpeg could not copy it"
        finally:
            both.unlink(missing_ok=True)


def require_codec(path: Path) -> None:
    """Check, before long work, that a video can be written under this name.

    Raises:
        VideoError: unknown extension.
    """
    if path.suffix.lower() not in CODECS:
        raise VideoError(f"{path}: unsupported video format; use one of {', '.join(CODECS)}")


def _almost(image: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether the image has this size except for one odd row or column."""
    return image.shape[1] - size[0] in (0, 1) and image.shape[0] - size[1] in (0, 1)
