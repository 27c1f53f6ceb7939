"""Reading images: what formats, modes, bit depths, transparency and orientation must come out as."""

import io
import struct

import cv2
import numpy as np
import pytest
from image_bytes import chunk, encode, png, rows_of
from PIL import Image

from facepipe.images import read_rgb

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (6, 9, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (6, 9, 3), np.uint16)

# EXIF 2.3, tag 274: what must be done to the stored picture to show it upright.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def grey(plane):
    return np.repeat(plane[:, :, None], 3, axis=2)


def on_white(colour, alpha):
    """Alpha compositing over white, in real numbers."""
    alpha = alpha[..., None] / 255
    return colour * alpha + 255 * (1 - alpha)


def check(data, expected, within=0.0):
    image = read_rgb(data)
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert image.flags.c_contiguous and image.flags.writeable
    assert image.shape == np.shape(expected)
    assert np.abs(image.astype(float) - expected).max() <= within


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 95})]
)
def test_exif_orientation(orientation, form, options):
    exif = Image.Exif()
    exif[274] = orientation
    picture = np.kron(PHOTO[:2, :3], np.ones((16, 16, 1), np.uint8))  # flat 16×16 blocks survive JPEG
    data = encode(picture, form, exif=exif, **options)
    within = 12 if form == "JPEG" else 0
    got = read_rgb(data)[8::16, 8::16].astype(float)
    expected = UPRIGHT[orientation](PHOTO[:2, :3])
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= within


def test_unknown_orientation():
    exif = Image.Exif()
    exif[274] = 77
    check(encode(PHOTO, exif=exif), PHOTO)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("block", [b"", b"XXjunk junk junk", b"MM\0*\0\0", b"MM\0*\0\0\0\x08\xff\xff garbage"])
def test_damaged_exif_does_not_cost_the_picture(block):
    check(encode(PHOTO, exif=b"Exif\0\0" + block), PHOTO)


def test_rgb_grey_and_one_bit():
    check(encode(PHOTO), PHOTO)
    check(encode(PHOTO[:, :, 0]), grey(PHOTO[:, :, 0]))
    bits = PHOTO[:, :, 0] > 127
    check(encode(bits), grey(bits * 255))
    check(encode(bits, "TIFF", compression="group4"), grey(bits * 255))
    check(b"P5 9 6 255\n" + PHOTO[:, :, 1].tobytes(), grey(PHOTO[:, :, 1]))


def test_bmp_and_its_bottom_up_rows():
    check(encode(PHOTO, "BMP"), PHOTO)


def test_rgba_and_la_lie_on_white():
    rgba = RNG.integers(0, 256, (6, 9, 4), np.uint8)
    rgba[0, :, 3], rgba[1, :, 3] = 0, 255
    check(encode(rgba), on_white(rgba[..., :3], rgba[..., 3]), within=1)
    assert (read_rgb(encode(rgba))[0] == 255).all()
    assert (read_rgb(encode(rgba))[1] == rgba[1, :, :3]).all()
    la = rgba[..., :2]
    picture = Image.frombytes("LA", (9, 6), np.ascontiguousarray(la).tobytes())
    check(encode(picture), on_white(grey(la[..., 0]), la[..., 1]), within=1)
    check(encode(rgba, "WEBP", lossless=True, exact=True), on_white(rgba[..., :3], rgba[..., 3]), within=1)


def palette_picture():
    indices = RNG.integers(0, 4, (6, 9), np.uint8)
    colours = np.array([[250, 10, 20], [0, 0, 0], [30, 200, 90], [255, 255, 0]], np.uint8)
    picture = Image.frombytes("P", (9, 6), indices.tobytes())
    picture.putpalette(colours.ravel().tolist())
    return picture, indices, colours


def test_palette():
    picture, indices, colours = palette_picture()
    check(encode(picture), colours[indices])


def test_palette_with_transparency():
    picture, indices, colours = palette_picture()
    expected = colours[indices].copy()
    expected[indices == 1] = 255
    check(encode(picture, transparency=1), expected)
    check(encode(picture, "GIF", transparency=1), expected)
    alpha = np.array([255, 0, 128, 255], np.uint8)
    check(encode(picture, transparency=alpha.tobytes()), on_white(colours[indices], alpha[indices]), within=1)


def test_one_transparent_colour_of_a_grey_or_rgb_png():
    plane = PHOTO[:, :, 0].copy()
    plane[2, 3] = 7
    expected = np.where(plane == 7, 255, plane)
    check(png(9, 6, 8, 0, rows_of(plane), chunk(b"tRNS", struct.pack(">H", 7))), grey(expected))
    photo = PHOTO.copy()
    photo[1, 1] = (1, 2, 3)
    expected = photo.copy()
    expected[1, 1] = 255
    check(png(9, 6, 8, 2, rows_of(photo), chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))), expected)


@pytest.mark.parametrize("inks", [(0, 0, 0, 0), (255, 0, 0, 0), (0, 128, 255, 0), (40, 80, 120, 100), (0, 0, 0, 255)])
def test_cmyk_jpeg(inks):
    """Ink takes light away: R = (255 − C)(255 − K)/255; JPEG itself may cost some levels."""
    plane = np.broadcast_to(np.array(inks, np.uint8), (16, 16, 4))
    light = [(255 - ink) * (255 - inks[3]) / 255 for ink in inks[:3]]
    data = encode(Image.frombytes("CMYK", (16, 16), np.ascontiguousarray(plane).tobytes()), "JPEG", quality=100)
    check(data, np.broadcast_to(light, (16, 16, 3)), within=3)


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_sixteen_bits_keep_their_brightness(extension):
    """White is 65535: 8 bits are v/257, to within the one level that cutting off 8 bits costs."""

    def written(array):
        return cv2.imencode(extension, array)[1].tobytes()

    check(written(DEEP[:, :, ::-1]), DEEP / 257, within=1)
    check(written(DEEP[:, :, 0]), grey(DEEP[:, :, 0] / 257), within=0.5)
    exact = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    check(written(exact), grey(exact / 257))
    check(written(np.stack([exact, exact.T, exact], 2)), np.stack([exact, exact.T, exact], 2) / 257)


def test_sixteen_bits_of_other_makes():
    big_endian = DEEP.astype(">u2")
    check(b"P6 9 6 65535\n" + big_endian.tobytes(), DEEP / 257, within=1)
    check(b"P5 9 6 65535\n" + big_endian[:, :, 0].tobytes(), grey(DEEP[:, :, 0] / 257), within=0.5)
    picture = Image.frombytes("I;16B", (9, 6), big_endian[:, :, 1].tobytes())
    check(encode(picture, "TIFF"), grey(DEEP[:, :, 1] / 257), within=0.5)
    check(encode(DEEP[:, :, 2].astype(np.int32), "TIFF"), grey(DEEP[:, :, 2] / 257), within=0.5)
    two = DEEP[:, :, :2].astype(">u2")
    check(png(9, 6, 16, 4, rows_of(two)), on_white(grey(DEEP[:, :, 0] / 257), DEEP[:, :, 1] / 257), within=2)


def test_float_tiff():
    values = RNG.random((6, 9), np.float32)
    values[0, :2] = 0, 1
    check(encode(values, "TIFF"), grey(values * 255), within=0.5)
    check(encode(values * 255, "TIFF"), grey(values * 255), within=0.5)


def test_float_tiff_with_numbers_that_are_none():
    values = np.full((2, 4), 0.5, np.float32)
    values[0] = np.nan, np.inf, -np.inf, -3
    check(encode(values, "TIFF"), grey(np.array([[0, 255, 0, 0], [128] * 4])))
    check(encode(np.full((2, 4), np.nan, np.float32), "TIFF"), np.zeros((2, 4, 3)))


@pytest.mark.parametrize(("form", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_first_frame_of_an_animation(form, options):
    red, blue = (Image.new("RGB", (8, 5), colour) for colour in ((255, 0, 0), (0, 0, 255)))
    data = encode(red, form, save_all=True, append_images=[blue, blue], **options)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.n_frames > 1
    check(data, np.broadcast_to((255, 0, 0), (5, 8, 3)))


def test_progressive_jpeg():
    smooth = np.asarray(Image.fromarray(PHOTO).resize((90, 60), Image.Resampling.BICUBIC))
    data = encode(smooth, "JPEG", progressive=True, quality=95, subsampling=0)
    assert b"\xff\xc2" in data  # the marker of progressive frames
    check(data, smooth, within=20)
