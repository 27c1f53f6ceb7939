"""GIF, and TIFF of LZW and PackBits: damage that decoders do not tell of is noticed by the length of the streams."""

import io

import cv2
import numpy as np
import pytest
from image_bytes import encode
from PIL import Image

from facepipe.errors import ImageError
from facepipe.images import read_image
from facepipe.images.lzw import Lzw, lzw_damage

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (160, 120, 3), np.uint8)
SMOOTH = cv2.GaussianBlur(NOISE, (0, 0), 3)
PLAIN = np.full_like(NOISE, 90)
FORMS = {
    "GIF": ("GIF", {}), "LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "LZW with differences": ("TIFF", {"compression": "tiff_lzw", "tiffinfo": {317: 2}}),
    "PackBits": ("TIFF", {"compression": "packbits"}),
}  # fmt: skip
MODES = ["RGB", "L", "1", "P", "RGBA", "CMYK"]


def is_written(form, mode):
    """GIF has one mode of its own, and differences are of samples of eight bits."""
    return mode in ("RGB", "L", "RGBA") or not ("differences" in form or form == "GIF")


@pytest.mark.parametrize(("form", "mode"), [(form, mode) for form in FORMS for mode in MODES if is_written(form, mode)])
@pytest.mark.parametrize("side", [1, 7, 119])
def test_what_is_sound_has_no_remark(form, mode, side):
    name, options = FORMS[form]
    for picture in (NOISE, SMOOTH, PLAIN):
        data = encode(Image.fromarray(picture[:, :side].copy()).convert(mode), name, **options)
        assert not read_image(data).damaged


@pytest.mark.parametrize("colours", [2, 3, 16, 200])
def test_every_frame_of_a_sound_animation(colours):
    frames = [Image.fromarray(picture).quantize(colours) for picture in (NOISE, SMOOTH, SMOOTH[::-1].copy())]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    for number in range(read_image(data).frames):
        assert not read_image(data, frame=number).damaged


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("piece", [b"\0", b"\xaa", b"\x13\x57\x9b"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_what_was_overwritten_is_told_or_refused(form, piece, share):
    name, options = FORMS[form]
    data = bytearray(encode(SMOOTH, name, **options))
    start = int(share * len(data))
    data[start : start + 512] = (piece * 512)[:512]
    try:
        assert "damaged inside (" in read_image(bytes(data)).remarks[0]
    except ImageError as error:
        assert "damaged or truncated" in str(error)


def longhand(codes, clear):
    """The bytes of a stream of codes without end code, by the description in TIFF 6.0."""
    table, out, before = {}, b"", b""
    for code in codes:
        if code == clear:
            table, before = {number: bytes([number]) for number in range(clear)}, b""
            continue
        string = table.get(code, before + before[:1])
        out += string
        if before:
            table[len(table) + 2] = before + string[:1]
        before = string
    return out


def test_lengths_are_those_of_a_decoder_by_hand():
    """Of small streams of random codes, all of nine bits."""
    for _ in range(50):
        codes = [256, int(RNG.integers(256))]
        for number in range(1, 100):
            codes.append(int(RNG.integers(258, 258 + number)) if RNG.random() < 0.7 else int(RNG.integers(256)))
        bits = "".join(f"{code:09b}" for code in (*codes, 257))
        data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
        length = len(longhand(codes, 256))
        assert lzw_damage(data, length, Lzw()) == ""
        assert f"decodes to {length:,} bytes" in lzw_damage(data, length + 1, Lzw())
    assert "not in the table" in lzw_damage(b"\x80\x20\x7f\xff", 5, Lzw())


def test_pillow_alone_says_nothing_of_some_of_it():
    """Or these checks would be of no use."""
    data = bytearray(encode(SMOOTH, "TIFF", compression="packbits"))
    data[20_000:20_512] = bytes(512)
    Image.open(io.BytesIO(data)).load()
    assert read_image(bytes(data)).damaged
