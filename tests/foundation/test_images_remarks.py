"""What a reader notices beside the pixels: damage inside, pages left unread, guessed depths, no light."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from image_bytes import chunk, encode
from PIL import Image

from facepipe.errors import ImageError
from facepipe.images import read_image, read_rgb

RNG = np.random.default_rng(0)
PHOTO = cv2.GaussianBlur(RNG.integers(0, 256, (160, 120, 3), np.uint8), (0, 0), 3)


def jpeg(**options):
    return encode(PHOTO, "JPEG", quality=90, **options)


def test_a_sound_photo_has_no_remarks():
    for data in (jpeg(), jpeg(progressive=True), encode(PHOTO), encode(PHOTO, "WEBP"), encode(PHOTO, "TIFF")):
        picture = read_image(data)
        assert picture.remarks == () and picture.frames == 1 and not picture.damaged


@pytest.mark.parametrize("form", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_both_decoders_agree(form, options):
    data = encode(Image.fromarray(PHOTO).convert(form), "JPEG", quality=90, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(read_rgb(data), expected)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_damage_inside_a_jpeg_is_noticed(share):
    data = bytearray(jpeg())
    scan = data.index(b"\xff\xda")
    start = scan + int((len(data) - scan - 512) * share)
    data[start : start + 512] = b"\xaa" * 512
    picture = read_image(bytes(data))
    assert picture.damaged and "damaged inside (" in picture.remarks[0]
    assert picture.pixels.shape == PHOTO.shape


def test_pages_are_counted_and_can_be_chosen():
    pages = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (50, 100, 150)]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    picture = read_image(data)
    assert picture.frames == 3 and picture.remarks == ("page 1 of 3 read",)
    assert read_image(data, frame=2).pixels[0, 0, 0] == 150
    with pytest.raises(ImageError, match="there is no page or frame 4, only 3"):
        read_image(data, frame=3)


def test_frames_and_pictures_are_counted():
    frames = [Image.fromarray(PHOTO), Image.fromarray(PHOTO[::-1])]
    for form, remark in (("GIF", "frame 1 of 2 read"), ("MPO", "picture 1 of 2 read")):
        data = encode(frames[0], form, save_all=True, append_images=frames[1:])
        assert read_image(data).remarks == (remark,)


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_heif_and_avif(form):
    import pillow_heif

    pillow_heif.register_heif_opener()
    data = encode(PHOTO, form, quality=95)
    assert np.abs(read_rgb(data).astype(int) - PHOTO).mean() < 4


def test_heic_by_its_name(tmp_path):
    import pillow_heif

    pillow_heif.register_heif_opener()
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(encode(PHOTO, "HEIF", quality=95))
    assert read_rgb(path).shape == PHOTO.shape


@pytest.mark.parametrize("planar", [1, 2])
def test_sixteen_bit_planes(planar):
    """A TIFF by hand (TIFF 6.0): 16-bit RGB, interleaved or plane by plane."""
    deep = (PHOTO.astype(np.uint16) * 257)[:16, :16]
    planes = [deep] if planar == 1 else [deep[:, :, channel] for channel in range(3)]
    body = b"".join(np.ascontiguousarray(plane).astype("<u2").tobytes() for plane in planes)
    size, count = len(body) // len(planes), len(planes)
    extra = 8 + len(body)
    bits, offsets, sizes = extra, extra + 6, extra + 6 + 4 * count
    many = count > 1
    entries = [
        (256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, count, offsets if many else 8), (277, 3, 1, 3), (278, 4, 1, 16),
        (279, 4, count, sizes if many else size), (284, 3, 1, planar),
    ]  # fmt: skip
    starts = [8 + number * size for number in range(count)]
    tables = struct.pack(f"<3H{2 * count}I", 16, 16, 16, *starts, *[size] * count)
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    directory += bytes(4)
    data = struct.pack("<2sHI", b"II", 42, extra + len(tables)) + body + tables + directory
    np.testing.assert_allclose(read_rgb(data), PHOTO[:16, :16], atol=1)


def test_twelve_bits_in_sixteen_are_brightened_and_told():
    grey = PHOTO[:, :, 0]
    _, data = cv2.imencode(".png", grey.astype(np.uint16) * 16)
    picture = read_image(data.tobytes())
    assert "treated as 12-bit" in picture.remarks[0]
    np.testing.assert_allclose(picture.pixels[:, :, 0], grey, atol=1)
    _, data = cv2.imencode(".png", grey.astype(np.uint16) * 257)
    assert read_image(data.tobytes()).remarks == ()


@pytest.mark.parametrize(("value", "remark"), [(4, "almost black"), (250, "almost white"), (128, None)])
def test_no_light(value, remark):
    picture = read_image(encode(np.full((300, 400, 3), value, np.uint8)))
    assert picture.remarks == ((remark,) if remark else ())


def test_a_png_with_megabytes_of_text():
    data = encode(PHOTO)
    text = chunk(b"zTXt", b"notes\0\0" + zlib.compress(b"x" * 80_000_000))
    long = chunk(b"tEXt", b"raw\0" + b"y" * 2_000_000)
    np.testing.assert_array_equal(read_rgb(data[:33] + text + long + data[33:]), PHOTO)


@pytest.mark.parametrize("extension", [".cr2", ".NEF", ".dng", ".arw"])
def test_the_preview_of_a_raw_photo_is_not_taken_for_the_photo(tmp_path, extension):
    path = tmp_path / f"a{extension}"
    path.write_bytes(encode(np.zeros((12, 16, 3), np.uint8), "TIFF"))
    with pytest.raises(ImageError, match="a raw camera photo that must be developed first; export it as JPEG"):
        read_image(path)


@pytest.mark.parametrize("start", [b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"])
def test_jpeg_xl_is_named(start):
    with pytest.raises(ImageError, match="JPEG XL, which facepipe cannot read; convert it"):
        read_image(start + bytes(99))
