"""The part of ``facepipe identify`` for videos."""

import math
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from facepipe.cli.commands.identify.photos import boxes_of
from facepipe.cli.process import ENDING, Terminated
from facepipe.cli.screen import note, print_json, progress, say
from facepipe.cli.table import show_table
from facepipe.tables import Column, counted

if TYPE_CHECKING:
    from facepipe.detection import Detector
    from facepipe.embedding import Embedder
    from facepipe.identification import Identifier
    from facepipe.identification.scene import Scene
    from facepipe.identification.video import Frame, Video

_WAITING, _PLACES = 4, 5


@dataclass(frozen=True)
class VideoJob:
    """A video and its options; with ``several`` media, ``save`` is their folder.

    With ``about`` the lines are JSON that include it.
    """

    source: str
    save: Path | None
    several: bool
    every: int
    seconds: float | None
    sound: bool
    about: dict[str, Any] | None


def show_video(job: VideoJob, detector: "Detector", embedder: "Embedder", identifier: "Identifier") -> dict[str, Any]:
    """Identify the faces in a video; prints lines on stdout, writes the copy to ``job.save``, returns the summary."""
    from facepipe.identification import confidence_kind
    from facepipe.identification.scene import records
    from facepipe.identification.summary import lost_frames, video_summary
    from facepipe.identification.track_names import TrackNames
    from facepipe.identification.tracking import tracker_for
    from facepipe.identification.video import Video
    from facepipe.identification.video_faces import VideoFaces
    from facepipe.train.loop.interrupt import Interrupt

    kind = confidence_kind(identifier.templates)
    names = TrackNames(identifier)
    video = Video(job.source)
    tracker = tracker_for(embedder.model.card, embedder.flip, identifier.decision.threshold)
    faces = VideoFaces(video, detector, embedder, tracker, names, job.every, images=job.save is not None)
    last = 0.0
    with Interrupt() as interrupt, ExitStack() as opened:

        def stop(time: float) -> bool:
            return interrupt.wanted or (job.seconds is not None and time >= job.seconds)

        advance = opened.enter_context(progress(_title(video), _frame_count(video, job.seconds)))
        copy = _copy(job, video, kind, opened)
        for frame, scene in opened.enter_context(closing(faces(stop))):
            last = frame.time
            if job.about is not None:
                for record in records(scene, kind):
                    print_json(record | job.about, indent=None)
            if copy is not None:
                copy.put((frame, scene))
            advance(1)
        early = interrupt.wanted
        if early and interrupt.number in ENDING:
            # A partial video must not be taken for a complete one; the copy is dropped on the way out.
            raise Terminated(interrupt.number)
    lost = lost_frames(video, faces.dropped)
    _notes(video, lost, early)
    account = video_summary(video.name, last + 1 / video.fps, video.read, names.appearances, job.every, lost)
    if job.about is None:
        _show(account)
    elif any(lost.values()):
        print_json({"source": video.name} | lost, indent=None)
    return account


def _frame_count(video: "Video", seconds: float | None) -> int | None:
    """Number of frames to read; None if the container does not say."""
    if not video.counted:
        return None
    return video.count if seconds is None else min(video.count, math.ceil(seconds * video.fps))


def _title(video: "Video") -> str:
    return f"{video.name}, about {counted(video.count, 'frame')}" if video.count and not video.counted else video.name


def copy_of_video(source: str, save: Path, several: bool) -> Path:
    """The path of a video's copy: ``save`` itself, or a file in that folder."""
    from facepipe.identification.recorder import CODECS
    from facepipe.identification.video import is_camera, is_url, local_path, without_password

    source = local_path(source)
    if not several and save.suffix:
        return save
    name = urlsplit(without_password(source)).path if is_url(source) else source
    suffix = Path(name).suffix.lower()
    stem = f"camera{source}" if is_camera(source) else Path(name).stem or "stream"
    return save / f"{stem}{suffix if suffix in CODECS else '.mp4'}"


def _copy(job: VideoJob, video: "Video", kind: str, opened: ExitStack) -> Any:
    """Draws and encodes in a separate thread; None without a copy."""
    from facepipe.identification.prefetch import InBackground
    from facepipe.identification.recorder import Recorder
    from facepipe.identification.video import local_path
    from facepipe.report.names import draw_names

    if job.save is None:
        return None
    path = copy_of_video(job.source, job.save, job.several)
    sound = local_path(job.source) if job.sound and not video.live else None
    recorder = Recorder(path, video.fps, video.size, sound)

    def tell() -> None:
        if recorder.done:
            note(f"copy: {path}" + (f" ({recorder.silent})" if recorder.silent else ""))

    opened.callback(tell)
    opened.enter_context(recorder)

    def draw(shown: "tuple[Frame, Scene]") -> None:
        frame, scene = shown
        recorder.write(frame.time, draw_names(frame.image, boxes_of(scene, kind)))

    return opened.enter_context(InBackground(draw, _WAITING, "encode"))


def _notes(video: "Video", lost: dict[str, Any], early: bool) -> None:
    if early:
        note(f"{video.name}: stopped early, after {counted(video.read, 'frame')}", style="yellow")
    if lost["undecodable"] or lost["gaps"]:
        about = "" if video.counted else "about "
        all_frames = counted(video.count, "frame")
        count = f"{about}{lost['undecodable']} of {about}{all_frames}" if lost["undecodable"] else "frames"
        places = ", ".join(_place(first, last) for first, last in lost["gaps"][:_PLACES])
        more = f" and {len(lost['gaps']) - _PLACES} more" if len(lost["gaps"]) > _PLACES else ""
        note(f"{video.name}: {count} could not be decoded{places and ': '}{places}{more}", style="yellow")
    if lost["dropped"]:
        dropped = counted(lost["dropped"], "frame")
        message = f"{dropped} dropped, because the camera was faster than the search"
        note(f"{video.name}: {message}", style="yellow")


def _place(first: float, last: float | None) -> str:
    return f"after {_clock(first)}" if last is None else f"{_clock(first)}–{_clock(last)}"


def _show(account: dict[str, Any]) -> None:
    columns = (
        Column("who"),
        Column("seen for", right=True),
        Column("tracks", right=True, lesser=1),
        Column("best score", right=True),
        Column("when", prose=True),
    )
    rows = []
    for name, person in account["people"].items():
        when = ", ".join(f"{_clock(first)}–{_clock(last)}" for first, last in person["intervals"])
        rows.append((name, f"{person['seconds']:.1f} s", person["tracks"], f"{person['best_score']:.2f}", when))
    show_table(columns, rows)
    say(f"{account['source']}: {counted(account['frames'], 'frame')}, {account['seconds']:.1f} s")


def _clock(seconds: float) -> str:
    # Rounded first, so that 59.96 s is shown as a minute.
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
