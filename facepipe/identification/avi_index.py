"""The index of an AVI file (Microsoft RIFF): which of its frames are intact.

AVI frames have no timestamps, and FFmpeg counts only the frames it finds: after damaged ones, all later frames get too
early times. The index at the end of the file lists every frame; FFmpeg finds those whose own header is intact.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_ENTRY = struct.Struct("<4sIII")
_MOST_ENTRIES = 1 << 24


def whole_frames(path: Path) -> Iterator[tuple[int, int]]:
    """The frames with an intact header: the number of each, ascending, and the number of damaged ones before it.

    A frame without data repeats the previous one: it is neither counted nor missing. Yields nothing if the index is
    missing or damaged.
    """
    lost = 0
    try:
        with path.open("rb") as file:
            start, index = _index(file)
            for number, (kind, offset, size) in enumerate(index):
                if os.pread(file.fileno(), 8, start + offset) != struct.pack("<4sI", kind, size):
                    lost += 1
                elif size:
                    yield number, lost
                    lost = 0
    except (OSError, ValueError, struct.error):
        return


def _index(file: BinaryIO) -> tuple[int, list[tuple[bytes, int, int]]]:
    """The base of offsets; and name, offset and size of each chunk of the first video stream."""
    movi = entries = None
    position = 12
    while True:
        head = _at(file, position, 12)
        if len(head) < 8:
            break
        name, size = struct.unpack("<4sI", head[:8])
        if name == b"LIST" and head[8:] == b"movi":
            movi = position + 8
        elif name == b"idx1":
            entries = _at(file, position + 8, min(size, _ENTRY.size * _MOST_ENTRIES))
        position += 8 + size + size % 2
    if movi is None or entries is None:
        raise ValueError("no index")
    rows = [_ENTRY.unpack_from(entries, at) for at in range(0, len(entries) - _ENTRY.size + 1, _ENTRY.size)]
    frames = [(kind, offset, size) for kind, _, offset, size in rows if kind in (b"00dc", b"00db")]
    if not frames:
        raise ValueError("no frames")
    # Offsets are relative to "movi" or, in files of some programs, to the start of the file.
    return (0 if frames[0][1] >= movi else movi), frames


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)
