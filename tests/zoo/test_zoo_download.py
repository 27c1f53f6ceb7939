"""Downloads from a server of our own on the loopback device: whole, resumed, broken, wrong, absent."""

import hashlib
import os
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from facepipe.errors import ModelError
from facepipe.zoo import Card, cached_weights, pull

DATA = bytes(range(256)) * 4096  # one MiB


class Server:
    """Serves ``data`` at any path; the other fields say how badly."""

    def __init__(self):
        self.data, self.status, self.ranges, self.cut_at, self.location = DATA, 200, True, [], ""
        self.requests = []  # the Range header of each
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/tiny.pt"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler):
        wanted = handler.headers.get("Range")
        self.requests.append(wanted)
        if self.status != 200:
            handler.send_response(self.status)
            if self.location:
                handler.send_header("Location", self.location)
            handler.end_headers()
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.ranges else 0
        if start >= len(self.data):
            handler.send_response(416)
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.data) - 1}/{len(self.data)}")
        body = self.data[start:]
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        cut = self.cut_at.pop(0) if self.cut_at else len(body)
        handler.wfile.write(body[:cut])


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def card_for(url, sha=None):
    return Card.of(
        {
            "name": "tiny",
            "title": "tiny",
            "backbone": "sphereface4",
            "input": {"size": (112, 96), "template": "112x96", "channels": "rgb", "mean": 0.0, "scale": 1.0},
            "embedding": {"dim": 8, "flip": "none"},
            "weights": {
                "file": "tiny.pt",
                "format": "torch",
                "url": url,
                "sha256": sha or hashlib.sha256(DATA).hexdigest(),
            },
        }
    )


def part_of(card):
    path = cached_weights(card)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(path.name + ".part")


def files(cache):
    return sorted(path.name for path in (cache / "weights").iterdir())


def test_whole_with_progress(server, cache):
    card, seen = card_for(server.url), []
    path = pull(card, lambda done, total: seen.append((done, total)))
    assert path == cached_weights(card)
    assert path.name == f"{card.weights.sha256[:12]}-tiny.pt"
    assert path.read_bytes() == DATA
    assert files(cache) == [path.name]
    assert seen[-1] == (len(DATA), len(DATA))
    assert seen == sorted(seen)


def test_cached_makes_no_request(server):
    card = card_for(server.url)
    pull(card)
    pull(card)
    assert len(server.requests) == 1


def test_damaged_in_the_cache_is_fetched_again(server):
    card = card_for(server.url)
    pull(card).write_bytes(b"damaged")
    assert pull(card).read_bytes() == DATA
    assert len(server.requests) == 2


def test_resumes_what_an_earlier_call_left(server, cache):
    card = card_for(server.url)
    part_of(card).write_bytes(DATA[:1000])
    assert pull(card).read_bytes() == DATA
    assert server.requests == ["bytes=1000-"]
    assert files(cache) == [cached_weights(card).name]


def test_part_that_is_whole_already(server):
    card = card_for(server.url)
    part_of(card).write_bytes(DATA)
    assert pull(card).read_bytes() == DATA


def test_server_without_ranges(server):
    server.ranges = False
    card = card_for(server.url)
    part_of(card).write_bytes(b"x" * 1000)
    assert pull(card).read_bytes() == DATA
    assert server.requests == ["bytes=1000-"]


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * (len(DATA) + 5)])
def test_foreign_part_starts_afresh(server, left):
    card = card_for(server.url)
    part_of(card).write_bytes(left)
    assert pull(card).read_bytes() == DATA
    assert server.requests == [f"bytes={len(left)}-", None]


def test_truncated_goes_on_in_the_same_call(server):
    server.cut_at = [300_000, 200_000]
    card = card_for(server.url)
    assert pull(card).read_bytes() == DATA
    starts = [int(wanted[6:-1]) for wanted in server.requests[1:]]
    assert 280_000 < starts[0] <= 300_000 and starts[0] + 180_000 < starts[1] <= starts[0] + 200_000


def test_truncated_again_and_again_keeps_the_part(server):
    server.cut_at = [100_000] * 3
    card = card_for(server.url)
    with pytest.raises(ModelError, match=r"stopped after \d+ bytes.*pull again.*models import tiny FILE"):
        pull(card)
    left = part_of(card).read_bytes()
    assert len(left) > 240_000 and left == DATA[: len(left)]
    assert pull(card).read_bytes() == DATA
    assert server.requests[-1] == f"bytes={len(left)}-"


@pytest.mark.parametrize("kind", ["corrupted", "another file"])
def test_wrong_file_is_not_kept(server, cache, kind):
    server.data = DATA[:5000] + b"?" + DATA[5001:] if kind == "corrupted" else b"<html>sign in</html>"
    card = card_for(server.url)
    with pytest.raises(ModelError) as caught:
        pull(card)
    message = str(caught.value)
    assert card.weights.sha256 in message
    assert hashlib.sha256(server.data).hexdigest() in message
    assert "facepipe models import tiny FILE" in message and "\n" not in message
    assert files(cache) == []


def test_no_network(cache):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/tiny.pt"
        with pytest.raises(ModelError) as caught:
            pull(card_for(url))
    message = str(caught.value)
    assert message.startswith(f"{url}: cannot be reached (")
    assert f"'facepipe models import tiny FILE' with FILE from {url}" in message
    assert "\n" not in message and len(message) < 400


@pytest.mark.parametrize("status", [404, 503])
def test_http_error(server, status):
    server.status = status
    with pytest.raises(ModelError, match=rf"the server answered {status}.*models import"):
        pull(card_for(server.url))


def test_without_tls_nothing_is_requested(cache):
    with pytest.raises(ModelError, match=r"only https:// is accepted\).*models import tiny FILE"):
        pull(card_for("http://models.invalid/tiny.pt"))


def test_a_redirect_does_not_leave_tls(server):
    server.status, server.location = 302, "http://models.invalid/tiny.pt"
    with pytest.raises(ModelError, match=r"http://models\.invalid is not encrypted"):
        pull(card_for(server.url))
    assert len(server.requests) == 1


def test_no_url():
    with pytest.raises(ModelError, match=r"has no URL.*'facepipe models import tiny FILE'$"):
        pull(card_for(""))


def test_cache_below_a_file(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ModelError, match=r"cannot write to the model cache.*set FACEPIPE_CACHE"):
        pull(card_for(server.url))
    assert server.requests == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_cache(server, cache):
    (cache / "weights").mkdir(parents=True)
    (cache / "weights").chmod(0o555)
    with pytest.raises(ModelError, match=r"cannot write to the model cache.*set FACEPIPE_CACHE"):
        pull(card_for(server.url))
    assert server.requests == []


def test_unreadable_cache(server, cache, monkeypatch):
    """As another user's home: Path.is_file raises there."""
    from pathlib import Path

    def denied(self, *args, **options):
        raise PermissionError(13, "Permission denied")

    card = card_for(server.url)
    monkeypatch.setattr(Path, "is_file", denied)
    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(ModelError, match=r"cannot write to the model cache \(Permission denied\)"):
        pull(card)
    assert server.requests == []


def test_full_disk(server, monkeypatch):
    """The error of a write is the cache's, not the network's."""
    from facepipe.zoo import download

    class Full:
        def write(self, chunk):
            raise OSError(28, "No space left on device")

    append = download._append
    monkeypatch.setattr(download, "_append", lambda handle, chunk: append(Full(), chunk))
    with pytest.raises(ModelError, match=r"cannot write to the model cache \(No space left on device\)"):
        pull(card_for(server.url))
    assert len(server.requests) == 1


def test_two_downloads_at_once(server):
    fcntl = pytest.importorskip("fcntl")
    card = card_for(server.url)
    with part_of(card).open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="another process is downloading"):
            pull(card)
    assert pull(card).read_bytes() == DATA
