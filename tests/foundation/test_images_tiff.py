"""Damage inside TIFF and CMYK, of which the decoder that Pillow uses says nothing."""

import io
import struct
import tracemalloc
import zlib

import pytest
from PIL import Image

from facepipe.errors import ImageError
from facepipe.images import read_image

FORMS = [
    ("TIFF", "tiff_adobe_deflate", "RGB"), ("TIFF", "tiff_deflate", "L"), ("TIFF", "jpeg", "RGB"),
    ("TIFF", "jpeg", "L"), ("JPEG", None, "CMYK"),
]  # fmt: skip


@pytest.fixture(scope="module")
def encode(astronaut):
    def of(form, compression, mode):
        stream = io.BytesIO()
        how = {"compression": compression} if compression else {"quality": 90}
        Image.fromarray(astronaut).convert(mode).save(stream, form, **how)
        return stream.getvalue()

    return of


@pytest.mark.parametrize(("form", "compression", "mode"), FORMS)
def test_whole_pictures_have_no_remark(encode, form, compression, mode):
    assert read_image(encode(form, compression, mode)).remarks == ()


@pytest.mark.parametrize(("form", "compression", "mode"), FORMS)
@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_damage_inside_is_told_or_refused(encode, form, compression, mode, place):
    data = bytearray(encode(form, compression, mode))
    at = int(place * len(data))
    data[at : at + 512] = b"\xaa" * 512
    with pytest.raises(ImageError, match="damaged"):
        read_image(bytes(data), strict=True)
    try:
        picture = read_image(bytes(data))
    except ImageError:
        return
    assert picture.damaged


def test_a_strip_that_decompresses_to_more_than_the_picture_takes_no_memory():
    strip = zlib.compress(bytes(200 << 20))
    tags = [
        (256, 8), (257, 8), (258, 8), (259, 8), (262, 1), (273, 8 + 2 + 10 * 12 + 4), (277, 1), (278, 8),
        (279, len(strip)), (339, 1),
    ]  # fmt: skip
    header = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    data = header + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags) + bytes(4) + strip
    tracemalloc.start()
    try:
        picture = read_image(data)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    assert picture.pixels.shape == (8, 8, 3)
