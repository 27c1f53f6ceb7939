"""GIF: detecting damage inside a frame from the length of its stream."""

from typing import Any

from PIL import Image

from facepipe.images.lzw import Lzw, lzw_damage


def gif_damage(data: bytes, picture: Image.Image) -> str:
    """A description of the damage inside a frame of a GIF; empty if there is none.

    Args:
        data: the encoded file.
        picture: opened by Pillow and positioned at the frame, but not loaded yet.
    """
    tiles: list[Any] = list(getattr(picture, "tile", ()))
    if len(tiles) != 1:
        return ""
    _, (left, top, right, bottom), start, settings = tiles[0]
    stream = _joined(data, start)
    return lzw_damage(stream, (right - left) * (bottom - top), Lzw(settings[0], early=False, high_first=False))


def _joined(data: bytes, at: int) -> bytes:
    """The data of a frame's blocks, each preceded by its length, up to one of length 0 (GIF89a, section 15)."""
    blocks = []
    while at < len(data) and data[at]:
        blocks.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(blocks)
