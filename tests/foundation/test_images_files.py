"""Files of images: names, writing, listing, and that damaged and foreign ones give one line, never a traceback."""

import os
import struct

import cv2
import numpy as np
import pytest
from image_bytes import chunk, encode, png

from facepipe.errors import ImageError
from facepipe.files import PassedOver
from facepipe.images import EXTENSIONS, encode_rgb, list_images, read_rgb, write_rgb

PHOTO = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


@pytest.mark.parametrize("extension", [".jpg", ".JPEG", ".png", ".webp", ".bmp"])
def test_write_and_read_again(tmp_path, extension):
    image = np.kron(PHOTO[:2, :3], np.ones((16, 16, 1), np.uint8))
    path = tmp_path / "new" / f"a{extension}"
    write_rgb(path, image)
    lossy = extension.lower() in (".jpg", ".jpeg", ".webp")
    assert np.abs(read_rgb(path)[8::16, 8::16].astype(int) - PHOTO[:2, :3]).max() <= (12 if lossy else 0)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_lower_quality_is_smaller():
    assert len(encode_rgb(PHOTO, ".jpg", 30)) < len(encode_rgb(PHOTO, ".jpg", 95))


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(ImageError, match=r"\.xyz: cannot write this format; use \.jpg"):
        write_rgb(tmp_path / "a.xyz", PHOTO)
    with pytest.raises(ImageError, match="no extension: cannot write"):
        write_rgb(tmp_path / "a", PHOTO)
    with pytest.raises(ImageError, match="no pixels"):
        write_rgb(tmp_path / "a.png", PHOTO[:0])
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match=r"a\.png: cannot be written"):
        write_rgb(tmp_path / "file" / "a.png", PHOTO)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["grüße 顔 😀.png", "a\nb.png", " leading space.png", "percent%20.png"])
def test_any_file_name(tmp_path, name):
    path = tmp_path / name
    write_rgb(path, PHOTO)
    assert (read_rgb(path) == PHOTO).all()
    assert (read_rgb(str(path)) == PHOTO).all()
    assert list(list_images(tmp_path)) == [path]


def test_file_name_that_is_not_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    try:
        write_rgb(path, PHOTO)
    except ImageError:
        pytest.skip("this file system takes UTF-8 names only")
    assert (read_rgb(path) == PHOTO).all()
    assert list(list_images(tmp_path)) == [path]


def test_extension_does_not_matter_for_reading(tmp_path):
    path = tmp_path / "really_png.jpg"
    path.write_bytes(encode(PHOTO))
    assert (read_rgb(path) == PHOTO).all()


def refused(path, match):
    with pytest.raises(ImageError, match=match) as caught:
        read_rgb(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def test_pixel_limit(tmp_path):
    with pytest.raises(ImageError, match=r"^<bytes>: 9×6 is over the limit of 53 pixels; scale it down"):
        read_rgb(encode(PHOTO), max_pixels=53)
    with pytest.raises(ImageError, match=r"^shard 3, key 7: 9×6"):
        read_rgb(encode(PHOTO), max_pixels=53, name="shard 3, key 7")
    assert read_rgb(encode(PHOTO), max_pixels=54).shape == (6, 9, 3)
    path = tmp_path / "bomb.png"
    path.write_bytes(png(30_000, 30_000, 8, 2))
    assert path.stat().st_size < 100
    refused(path, "pixels; scale it down|more pixels than the limit")


def test_empty_missing_and_folder(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    refused(tmp_path / "empty.jpg", r"the file is empty \(0 bytes\)")
    refused(tmp_path / "missing.jpg", "no such file; check the path")
    refused(tmp_path, "a folder, not an image")
    refused(tmp_path / ("x" * 300), "cannot be read")
    refused(tmp_path / "nul\0.jpg", "cannot be read|no such file")
    with pytest.raises(ImageError, match="<bytes>: the file is empty"):
        read_rgb(b"")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    refused(tmp_path / "pipe.jpg", "not a regular file")


def test_link_to_itself(tmp_path):
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    passed = PassedOver()
    assert list(list_images(tmp_path, passed=passed)) == [] and passed.counts == {"broken link": 1}
    refused(tmp_path / "loop.jpg", "cannot be read")


def test_text_renamed(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("Dear diary, today I renamed this file.\n" * 50)
    refused(path, "not an image that facepipe can read; convert it")


def test_postscript_is_not_run(tmp_path, monkeypatch):
    """Pillow hands it to Ghostscript: nothing that a downloaded 'photo' may start."""
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **options: pytest.fail("Ghostscript was run"))
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")
    refused(path, "PostScript, not a photo")


@pytest.fixture(scope="module")
def photos(astronaut):
    small = cv2.resize(astronaut, (96, 96), interpolation=cv2.INTER_AREA)
    return {".jpg": encode_rgb(small, ".jpg"), ".png": encode_rgb(small, ".png")}


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated(tmp_path, photos, extension, share):
    """A half picture with the rest grey would give an embedding of nobody."""
    data = photos[extension]
    path = tmp_path / f"a{extension}"
    path.write_bytes(data[: int(len(data) * share)])
    refused(path, "damaged or truncated")


def damaged(data, kind, rng):
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 200))
    changed = bytearray(data)
    if kind == "truncated":
        return data[:at]
    if kind == "flipped":
        for place in rng.integers(0, len(data), 1 + size % 8):
            changed[place] ^= 1 << int(rng.integers(8))
    elif kind == "zeros":
        changed[at : at + size] = bytes(len(changed[at : at + size]))
    elif kind == "text":
        return b"<!DOCTYPE html><title>404</title>" * size
    elif data.startswith(b"\x89PNG"):
        return data[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, at + 1, 8, 2, 0, 0, 0)) + data[33:]
    else:
        start = data.index(b"\xff\xc0")
        changed[start + 5 : start + 9] = b"\xff\xff\xff\xff"
    return bytes(changed)


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged metadata
@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("kind", ["truncated", "flipped", "zeros", "text", "huge"])
def test_damaged_files_are_read_or_refused(tmp_path, photos, extension, kind):
    rng = np.random.default_rng([len(kind), len(photos[extension])])
    outcomes = set()
    for number in range(20):
        path = tmp_path / f"damaged-{number}{extension}"
        path.write_bytes(damaged(photos[extension], kind, rng))
        try:
            image = read_rgb(path, max_pixels=1_000_000)
        except ImageError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
            outcomes.add("refused")
        else:
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
            outcomes.add("read")
    if kind in ("truncated", "text", "huge"):
        assert outcomes == {"refused"}


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def listed(root):
    return [path.relative_to(root).as_posix() for path in list_images(root)]


def test_list_order(tmp_path):
    """A folder's own files, sorted, then its folders in turn."""
    tree(tmp_path, "b/2.jpg", "b/10.jpg", "b/a/0.jpg", "a/z.png", "c.jpg", "B.jpg", "a/y.png")
    assert listed(tmp_path) == ["B.jpg", "c.jpg", "a/y.png", "a/z.png", "b/10.jpg", "b/2.jpg", "b/a/0.jpg"]


def test_list_extensions_and_hidden(tmp_path):
    tree(tmp_path, "a.JPG", "b.JpEg", "c.txt", "d", "e.jpg.bak", ".hidden.jpg", ".git/f.jpg", "g.tar.webp", ".jpg")
    assert listed(tmp_path) == ["a.JPG", "b.JpEg", "g.tar.webp"]
    assert all(extension.startswith(".") and extension == extension.lower() for extension in EXTENSIONS)


def test_list_single_file_and_missing(tmp_path):
    tree(tmp_path, "notes.txt")
    assert list(list_images(tmp_path / "notes.txt")) == [tmp_path / "notes.txt"]
    assert list(list_images(tmp_path)) == []
    with pytest.raises(ImageError, match=r"nowhere: no such file or folder; check the path"):
        list(list_images(tmp_path / "nowhere"))


def test_list_follows_links_but_no_loops(tmp_path):
    tree(tmp_path, "photos/a/1.jpg", "elsewhere/2.jpg")
    root = tmp_path / "photos"
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "here").symlink_to(".")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "broken").symlink_to(tmp_path / "gone")
    assert listed(root) == ["a/1.jpg", "b/2.jpg"]


def test_folder_named_like_an_image(tmp_path):
    tree(tmp_path, "album.jpg/1.jpg")
    assert listed(tmp_path) == ["album.jpg/1.jpg"]


def test_list_is_lazy(tmp_path):
    tree(tmp_path, "1.jpg", "2.jpg", "z/3.jpg")
    images = list_images(tmp_path)
    assert next(images).name == "1.jpg"
    (tmp_path / "z" / "4.jpg").write_bytes(b"")
    assert [path.name for path in images] == ["2.jpg", "3.jpg", "4.jpg"]
