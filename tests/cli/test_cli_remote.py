"""Photos at an address, on standard input, or named as ``file://``: read wherever a photo is asked for."""

import io
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.images import RemotePhoto, encode_rgb, list_images, read_image, write_rgb
from facepipe.images import remote as module

CROP = np.random.default_rng(0).integers(0, 255, (112, 96, 3), np.uint8)


class Server(BaseHTTPRequestHandler):
    """Has a photo, a page, a long file with and without its length, and nothing else."""

    def do_GET(self):
        kind = self.path.split("?")[0]
        body = {"/a/photo.png": encode_rgb(CROP, ".png"), "/page.jpg": b"<html>", "/long": b"x" * 5000}.get(kind)
        if kind == "/stream":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 5000)
            return
        if kind == "/moved":
            self.send_response(302)
            self.send_header("Location", "/a/photo.png")
            self.end_headers()
            return
        self.send_response(404 if body is None else 200, "Not here" if body is None else None)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Options of a model that takes crops as they are."""
    return ["-m", tiny_model(tmp_path_factory.mktemp("models") / "tiny"), "--already-aligned"]


@pytest.fixture
def file(tmp_path):
    write_rgb(tmp_path / "photo.png", CROP)
    return tmp_path / "photo.png"


@pytest.fixture
def sent(monkeypatch):
    """Send bytes to standard input."""

    def send(data):
        stream = io.TextIOWrapper(io.BytesIO(data))
        monkeypatch.setattr(sys, "stdin", stream)

    return send


def test_an_address_a_file_and_stdin_are_one_photo(server, words, file, sent):
    sent(file.read_bytes())
    photos = ["-", f"{server}/a/photo.png?size=1", f"file://{file}", f"{server}/moved"]
    told = run("compare", *photos, *words, "--json").json
    paths = [one["images"][1]["path"] for one in told["comparisons"]]
    assert told["comparisons"][0]["images"][0]["path"] == "<stdin>"
    assert paths == [f"{server}/a/photo.png?size=1", str(file), f"{server}/moved"]
    assert all(one["score"] == pytest.approx(1) for one in told["comparisons"]) and told["failed"] == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/gone.jpg", "the server answered 404 Not here"),
        ("/page.jpg", "not an image"),
        ("/long", "larger than"),
        ("/stream", "larger than"),
    ],
)
def test_what_is_there_is_no_photo(server, words, file, monkeypatch, path, why):
    monkeypatch.setattr(module, "MAX_FETCHED", 3000 if path in ("/long", "/stream") else 1 << 20)
    told = refused("compare", f"{server}{path}", file, *words)
    assert told.startswith(f"{server}{path}: ") and why in told


def test_a_server_that_is_not_there(words, file):
    told = refused("compare", "http://user:secret@127.0.0.1:1/a.jpg", file, *words)
    assert told == "http://127.0.0.1:1/a.jpg: cannot be downloaded (no connection); save the photo and pass the file"


def test_a_server_that_never_ends(server, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST", -1.0)
    with pytest.raises(module.ImageError, match="took longer than"):
        RemotePhoto(f"{server}/stream").read()


def test_stdin_that_is_empty_or_too_long(words, file, sent, monkeypatch):
    sent(b"")
    assert refused("compare", "-", file, *words).startswith("<stdin>: empty, 0 bytes were sent; look at")
    monkeypatch.setattr(module, "MAX_FETCHED", 1000)
    sent(b"x" * 1001)
    assert "larger than" in refused("compare", "-", file, *words)


def test_a_file_of_another_machine(words, file):
    ended = run("compare", "file://elsewhere/a.jpg", file, *words)
    assert ended.code == 2 and "a file on another machine (elsewhere)" in ended.err


def test_commands_with_many_photos(server, words, file, tmp_path):
    out = tmp_path / "e.parquet"
    assert run("embed", f"{server}/a/photo.png", file, "-o", out, *words, "--json").json["embedded"] == 2
    ended = run("detect", f"{server}/a/photo.png", f"{server}/gone.jpg", "--save", tmp_path / "drawn")
    assert ended.code == 0 and f"{server}/a/photo.png: 0 faces" in ended.out and "404 Not here" in ended.err
    assert (tmp_path / "drawn" / "photo.jpg").is_file()


def test_an_address_as_a_path(server):
    photo = RemotePhoto(f"{server}/a/photo.png?size=2")
    assert (photo.name, photo.suffix, str(photo)) == ("photo.png", ".png", f"{server}/a/photo.png?size=2")
    assert list(list_images(photo)) == [photo] and photo != RemotePhoto(f"{server}/a/photo.png?size=3")
    assert np.array_equal(read_image(photo).pixels, CROP)
    assert ".." not in RemotePhoto("http://a/../../etc/x.jpg").parts
