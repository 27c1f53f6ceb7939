"""Where faces are in a frame that was not searched."""

from dataclasses import replace

from facepipe.identification.scene import Scene, Seen


def interpolated(before: Scene, after: Scene | None, frame: int, time: float) -> Scene:
    """The scene of a frame between two that were searched.

    A face that both have moves in a straight line from one place to the other; one that only the earlier has stays
    until halfway, and one that only the later has comes from halfway on.

    Args:
        before: the last scene that was searched.
        after: the next one; None at the end of the video, where faces stay where they were.
        frame, time: of this frame.
    """
    if after is None:
        return Scene(before.source, frame, time, before.faces, looked=False)
    span = after.time - before.time
    share = (time - before.time) / span if span > 0 else 1.0
    ends = {face.track: face for face in after.faces}
    begun = {face.track for face in before.faces}
    faces = [
        _moved(face, ends[face.track], share) if face.track in ends else face
        for face in before.faces
        if face.track in ends or share < 0.5
    ]
    coming = [face for face in after.faces if face.track not in begun and share >= 0.5]
    return Scene(before.source, frame, time, (*faces, *coming), looked=False)


def _moved(face: Seen, end: Seen, share: float) -> Seen:
    box = face.box + (end.box - face.box) * share
    return replace(face, box=box, landmarks=face.landmarks + (end.landmarks - face.landmarks) * share)
