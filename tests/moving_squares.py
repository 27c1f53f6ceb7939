"""Videos of coloured squares, a detector that finds them, and an embedder to which a colour is a person."""

import struct
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from facepipe.detection import Faces
from facepipe.embedding import Embeddings
from facepipe.identification import Gallery

COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}
SIDE = 24
MODEL = "colour@0"


def frame(squares, size=(96, 160)):
    """A dark picture with squares: name to (left, top)."""
    picture = np.full((*size, 3), 12, np.uint8)
    for name, (left, top) in squares.items():
        picture[top : top + SIDE, left : left + SIDE] = COLOURS[name]
    return picture


def write_video(path: Path, frames, fps=10.0, code="mp4v"):
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, (width, height))
    assert writer.isOpened()
    for picture in frames:
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    writer.release()
    return path


def find_squares(images):
    """One face per colour that is somewhere in the image."""
    return [_faces(image.astype(int)) for image in images]


def _faces(image):
    boxes = []
    for colour in COLOURS.values():
        rows, columns = np.nonzero((np.abs(image - colour) < 70).all(2))
        if len(rows) > 100:
            boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    if not boxes:
        return Faces.none()
    boxes = np.array(boxes, np.float32)
    places = np.array([(0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75)], np.float32)
    landmarks = boxes[:, None, :2] + places * (boxes[:, None, 2:] - boxes[:, None, :2])
    return Faces(boxes, np.full(len(boxes), 0.99, np.float32), landmarks)


class ColourEmbedder:
    """The colour of the middle of a crop, about its mean."""

    size = (112, 112)
    flip = "none"
    model = SimpleNamespace(
        identity=MODEL, card=SimpleNamespace(input=SimpleNamespace(template="112x112"), thresholds=())
    )

    def __call__(self, crops):
        mu = crops[:, 50:90, 40:70].astype(np.float32).mean((1, 2)) - 85
        return Embeddings(mu.reshape(-1, 3), MODEL)


def gallery(*names):
    mu = np.array([COLOURS[name] for name in names], np.float32) - 85
    return Gallery(Embeddings(mu, MODEL, paths=tuple(f"{name}/1.png" for name in names)))


def rotated(path: Path) -> None:
    """Say in the metadata that the picture is to be turned by a quarter, clockwise, as phones do."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") - 4 + 48
    data[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def slowed(path: Path, first: int, times: int) -> None:
    """Let the frames after the first few last ``times`` as long: a variable frame rate."""
    data = bytearray(path.read_bytes())
    at = data.index(b"stts") - 4
    size, _, _, entries, count, duration = struct.unpack(">I4sIIII", data[at : at + 24])
    assert (size, entries) == (24, 1)
    table = struct.pack(">I4sIIIIII", 32, b"stts", 0, 2, first, duration, count - first, duration * times)
    if b"edts" in data:  # the edit list would cut the film off at its old length
        data[data.index(b"edts") : data.index(b"edts") + 4] = b"free"
    data[at : at + 24] = table
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        box = data.index(name) - 4
        data[box : box + 4] = struct.pack(">I", struct.unpack(">I", data[box : box + 4])[0] + 8)
    path.write_bytes(data)
