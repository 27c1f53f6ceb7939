"""Encoded images for tests."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encode(picture, form="PNG", **options):
    stream = io.BytesIO()
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(stream, form, **options)
    return stream.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour, rows=b"", before=b""):
    """A PNG by hand, as Pillow cannot write all kinds."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def rows_of(array):
    return b"".join(b"\0" + row.tobytes() for row in array)
