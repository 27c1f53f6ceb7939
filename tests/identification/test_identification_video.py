"""Reading and writing videos: times, rotation, damage; stages that run ahead of each other."""

import struct
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from moving_squares import frame, rotated, slowed, write_video

from facepipe.errors import Ended
from facepipe.identification.avi_index import whole_frames
from facepipe.identification.gaps import Pace
from facepipe.identification.prefetch import InBackground, read_ahead
from facepipe.identification.recorder import Recorder
from facepipe.identification.video import Video, VideoError, holds_count

FRAMES = [frame({"red": (4 * number, 20)}) for number in range(12)]


def read(path):
    return list(Video(str(path)).frames())


def test_frames_have_their_numbers_times_and_colours(tmp_path):
    video = Video(str(write_video(tmp_path / "a.mp4", FRAMES)))
    assert (video.fps, video.count, video.size, video.live) == (10, 12, (96, 160), False)
    frames = list(video.frames())
    assert [f.number for f in frames] == list(range(12))
    assert [f.time for f in frames] == pytest.approx([n / 10 for n in range(12)])
    assert (video.read, video.missing) == (12, 0)
    for got, want in zip(frames, FRAMES, strict=True):
        assert got.image.dtype == np.uint8 and np.abs(got.image.astype(int) - want).mean() < 4, "RGB, not BGR"


def test_variable_frame_rate(tmp_path):
    path = write_video(tmp_path / "a.mp4", FRAMES)
    slowed(path, first=4, times=5)
    assert [f.time for f in read(path)] == pytest.approx([0, 0.1, 0.2, 0.3, *(0.4 + 0.5 * n for n in range(8))])


def test_rotated_phone_video_comes_upright(tmp_path):
    path = write_video(tmp_path / "a.mp4", FRAMES)
    rotated(path)
    video = Video(str(path))
    assert video.size == (160, 96)
    first = next(iter(video.frames())).image
    assert np.abs(first.astype(int) - np.rot90(FRAMES[0], -1)).mean() < 4


def test_damaged_frames_are_left_out_or_patched(tmp_path):
    path = write_video(tmp_path / "a.avi", FRAMES, code="MJPG")
    data = bytearray(path.read_bytes())
    starts = [n for n in range(len(data) - 1) if data[n : n + 3] == b"\xff\xd8\xff"]
    data[starts[5] : starts[5] + 200] = bytes(200)
    path.write_bytes(data)
    video = Video(str(path))
    frames = list(video.frames())
    assert 10 <= len(frames) <= 12 and video.read + video.missing == 12
    times = [f.time for f in frames]
    assert times == sorted(set(times)) and times[-1] == pytest.approx(1.1, abs=0.15)


def numbered(count=120):
    """Frames that say their number in white squares at their foot, over noise."""
    rng = np.random.default_rng(0)
    for number in range(count):
        picture = frame({"red": (number, 20)}).astype(int) + rng.integers(0, 40, (96, 160, 3))
        picture[80:] = 0
        for bit in range(8):
            picture[80:, 20 * bit : 20 * bit + 20] = 255 * (number >> bit & 1)
        yield np.clip(picture, 0, 255).astype(np.uint8)


def number_of(image):
    return sum(1 << bit for bit in range(8) if image[84:92, 20 * bit + 4 : 20 * bit + 16].mean() > 127)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [".mp4 mp4v", ".avi MJPG", ".avi mp4v", ".mkv mp4v", ".mkv MJPG", ".webm VP80"])
@pytest.mark.parametrize("place", ["start", "middle", "end", "twice"])
def test_a_damaged_video_is_read_to_its_end(tmp_path, kind, place):
    suffix, code = kind.split()
    rng = np.random.default_rng(0)
    try:
        path = write_video(tmp_path / f"a{suffix}", list(numbered()), 25, code)
    except AssertionError:
        pytest.skip(f"OpenCV here cannot write {code}")
    data = bytearray(path.read_bytes())
    for at in {"start": [0.0], "middle": [0.5], "end": [0.9], "twice": [0.3, 0.7]}[place]:
        start = max(64 if suffix == ".mp4" else 6000, int(len(data) * at))  # behind the header
        data[start : start + len(data) // 12] = rng.bytes(len(data) // 12)
    path.write_bytes(data)
    video = Video(str(path))
    frames = list(video.frames())
    times = [f.time for f in frames]
    damaged = 10 * (2 if place == "twice" else 1)
    assert 120 - 2 * damaged <= len(times) <= 120
    assert times == sorted(set(times))
    # Behind damage a few frames of a codec that looks back still show what was before.
    wrong = [f for f in frames if abs(number_of(f.image) - 25 * f.time) > 0.5]
    assert len(wrong) <= 5 * (2 if place == "twice" else 1), "the times of the film, whatever is missing"
    if place != "end":
        assert times[-1] == pytest.approx(119 / 25, abs=0.1)
    assert video.missing == pytest.approx(120 - len(times), abs=0 if video.counted else 1) and video.missing > 0
    assert len(video.gaps) == (2 if place == "twice" else 1)
    first, last = video.gaps[0].first, video.gaps[0].last
    assert (first <= 0.04) == (place == "start")
    assert last is None or 0.1 < last - first < 1.5


def riff(name, data):
    return struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2)


def indexed(tmp_path, frames, broken=(), absolute=False):
    """An AVI of nothing but frames and an index, in which the headers of some frames are overwritten."""
    film, offsets = b"movi", []
    for data in frames:
        offsets.append(len(film))
        film += riff(b"00dc", data)
    start = 20 if absolute else 0
    rows = [struct.pack("<4sIII", b"00dc", 16, start + at, len(data)) for at, data in zip(offsets, frames, strict=True)]
    sound = struct.pack("<4sIII", b"01wb", 16, 4, 8)
    whole = bytearray(riff(b"RIFF", b"AVI " + riff(b"LIST", film) + riff(b"idx1", sound + b"".join(rows))))
    for number in broken:
        whole[20 + offsets[number] : 22 + offsets[number]] = b"\xff\xff"
    (tmp_path / "a.avi").write_bytes(whole)
    return tmp_path / "a.avi"


def test_frames_of_an_avi_are_found_by_its_index(tmp_path):
    frames = [b"some", b"more!", b"", b"data", b"end"]
    for absolute in (False, True):
        path = indexed(tmp_path, frames, absolute=absolute)
        assert list(whole_frames(path)) == [(0, 0), (1, 0), (3, 0), (4, 0)], "the third repeats the second"
        assert list(whole_frames(indexed(tmp_path, frames, (1, 3), absolute))) == [(0, 0), (4, 2)]
    path.write_bytes(path.read_bytes()[:-90])
    assert list(whole_frames(path)) == [], "without its index nothing is said"


@pytest.mark.parametrize("step", ["even", "uneven"])
def test_a_jump_is_a_gap_in_an_even_film_only(step):
    pace, now = Pace(25), 0.0
    for number in range(100):
        before, now = now, now + (0.04 if step == "even" or number % 3 else 0.1) + (1.0 if number == 60 else 0)
        pace.add(before, now)
    gaps, missing = pace.gaps(now + 0.04)
    assert (len(gaps), missing) == ((1, 25) if step == "even" else (0, 0))
    assert pace.gaps(now + 2.04)[1] == (75 if step == "even" else 0), "the end is missing too"


def later(cluster, milliseconds):
    """A cluster behind its four bytes of name, its time (behind its size, and a checksum) moved."""
    size = 9 - cluster[0].bit_length()
    time = size + 6
    assert size <= 3 and cluster[time] == 0xE7, "the checksum comes before the time"
    behind = time + 2 + cluster[time + 1] - 0x80
    moved = milliseconds + int.from_bytes(cluster[time + 2 : behind], "big")
    more = 6 - (behind - time)
    length = int.from_bytes(cluster[:size], "big") + more
    return length.to_bytes(size, "big") + cluster[size:time] + b"\xe7\x84" + moved.to_bytes(4, "big") + cluster[behind:]


@pytest.mark.parametrize("begins", [60, 1.5])
@pytest.mark.parametrize("cut", [False, True])
def test_a_clock_that_does_not_begin_at_0_is_no_gap(tmp_path, begins, cut):
    """A piece of a longer recording, by hand: Matroska's length is then the time at which the film ends."""
    path = write_video(tmp_path / "a.mkv", list(numbered()), 25, "MJPG")
    data = bytearray(path.read_bytes())
    length = data.index(b"\x44\x89\x88") + 3
    data[length : length + 8] = struct.pack(">d", 1000 * begins + 4800)
    header, *clusters = bytes(data).split(b"\x1f\x43\xb6\x75")
    data = header + b"".join(b"\x1f\x43\xb6\x75" + later(cluster, round(1000 * begins)) for cluster in clusters)
    data = data[: int(0.8 * len(data))] if cut else data
    path.write_bytes(data)
    video = Video(str(path))
    frames = list(video.frames())
    assert frames[0].time == 0 and number_of(frames[50].image) == 50
    assert video.missing == pytest.approx(120 - len(frames), abs=1 if cut else 0)
    assert (len(video.gaps) == 1) == cut


def test_a_file_url_is_a_file(tmp_path):
    path = write_video(tmp_path / "ein Fest.mp4", FRAMES)
    for url in (path.as_uri(), f"file://localhost{path.as_uri().removeprefix('file://')}"):
        video = Video(url)
        assert (video.live, video.count, video.counted) == (False, 12, True)
        assert [f.time for f in video.frames()] == pytest.approx([n / 10 for n in range(12)])
    with pytest.raises(VideoError, match="no such file"):
        Video((tmp_path / "none.mp4").as_uri())


def cut(tmp_path):
    path = write_video(tmp_path / "cut.mp4", FRAMES)
    path.write_bytes(path.read_bytes()[:-400])  # the index is at the end
    return path


def empty(tmp_path):
    (tmp_path / "empty.mp4").touch()
    return tmp_path / "empty.mp4"


def text(tmp_path):
    (tmp_path / "text.mp4").write_text("no video " * 99)
    return tmp_path / "text.mp4"


def foreign(tmp_path):
    """A codec that nobody knows."""
    path = write_video(tmp_path / "foreign.avi", FRAMES, code="MJPG")
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZQZQ"))
    return path


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: folder / "gone.mp4", "no such file"),
        (empty, r"the file is empty \(0 bytes\)"),
        (text, "OpenCV cannot open this video"),
        (cut, "OpenCV cannot open this video"),
        (foreign, r"no frame can be decoded \(codec ZQZQ\).*ffmpeg -i IN|OpenCV cannot open this video"),
        (lambda folder: folder, "not a regular file"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, capfd, make, told):
    path = make(tmp_path)
    with pytest.raises(VideoError, match=told) as caught:
        Video(str(path))
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_streams_and_cameras_that_are_not_there():
    with pytest.raises(VideoError, match=r"^http://127.0.0.1:9/x: the stream cannot be opened") as caught:
        Video("http://ada:secret@127.0.0.1:9/x")
    assert "secret" not in str(caught.value)
    with pytest.raises(VideoError, match="camera 99: no camera with this number"):
        Video("99")


@pytest.fixture
def port(tmp_path):
    """Of a web server of this machine that sends what is in the folder, whole files only."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_stream_over_http(tmp_path, port):
    write_video(tmp_path / "a.avi", FRAMES, code="MJPG")
    video = Video(f"http://ada:secret@127.0.0.1:{port}/a.avi")
    frames = list(video.frames())
    assert not video.live and video.count == 12, "a source with a number of frames is a file"
    assert video.name == f"http://127.0.0.1:{port}/a.avi", "the password is shown nowhere"
    assert len(frames) == 12 and [f.number for f in frames] == list(range(12))
    assert [f.time for f in frames] == pytest.approx([n / 10 for n in range(12)]), "not by the clock on the wall"
    assert np.abs(frames[7].image.astype(int) - FRAMES[7]).mean() < 5


def test_a_stream_without_a_frame(tmp_path, port):
    foreign(tmp_path)
    told = r"no frame can be decoded \(codec ZQZQ\).*; download it first$|the stream cannot be opened"
    with pytest.raises(VideoError, match=told):
        Video(f"http://127.0.0.1:{port}/foreign.avi")


@pytest.mark.parametrize("name", ["Fête à Zürich.mp4", "生日 party.mp4", "100%d.mp4"])
def test_names_in_any_script(tmp_path, name):
    record(tmp_path / name, [(number / 10, picture) for number, picture in enumerate(FRAMES)])
    assert len(read(tmp_path / name)) == 12 and [entry.name for entry in tmp_path.iterdir()] == [name]


def test_stop_ends_early(tmp_path):
    video = Video(str(write_video(tmp_path / "a.mp4", FRAMES)))
    assert len(list(video.frames(lambda seconds: seconds >= 0.45))) == 5


def record(path, shown, fps=10.0, size=(96, 160), **options):
    with Recorder(path, fps, size, **options) as recorder:
        for seconds, picture in shown:
            recorder.write(seconds, picture)
    return recorder


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_what_was_recorded_plays(tmp_path, suffix):
    path = tmp_path / "new" / f"a{suffix}"
    record(path, [(number / 10, picture) for number, picture in enumerate(FRAMES)])
    frames = read(path)
    assert len(frames) == 12 and [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert np.abs(frames[7].image.astype(int) - FRAMES[7]).mean() < 5


def test_a_variable_rate_keeps_its_pace(tmp_path):
    """Shown at 0, 0.1, 0.5 and 0.62 s: at ten frames a second the second is shown four times."""
    times = (0.0, 0.1, 0.5, 0.62)
    record(tmp_path / "a.mp4", [(t, FRAMES[3 * n]) for n, t in enumerate(times)])
    frames = [f.image.astype(int) for f in read(tmp_path / "a.mp4")]
    nearest = [int(np.argmin([np.abs(f - FRAMES[3 * n]).mean() for n in range(4)])) for f in frames]
    assert nearest == [0, 1, 1, 1, 1, 2, 3]


def test_more_frames_than_the_rate_are_left_out(tmp_path):
    record(tmp_path / "a.mp4", [(number / 30, picture) for number, picture in enumerate(FRAMES)])
    assert len(read(tmp_path / "a.mp4")) == 5, "at 0, 0.1 ... 0.4 s"


def test_odd_sides_and_changing_sizes(tmp_path):
    odd = [np.full((95, 161, 3), 100, np.uint8), np.full((40, 60, 3), 200, np.uint8)]
    record(tmp_path / "a.mp4", [(0, odd[0]), (0.1, odd[1])], size=(95, 161))
    frames = read(tmp_path / "a.mp4")
    assert [f.image.shape for f in frames] == [(94, 160, 3)] * 2
    assert [round(f.image.mean(), -1) for f in frames] == [100, 200]


def test_an_exception_leaves_a_playable_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), Recorder(tmp_path / "a.mp4", 10, (96, 160)) as recorder:
        for number in range(5):
            recorder.write(number / 10, FRAMES[number])
        raise KeyboardInterrupt
    assert len(read(tmp_path / "a.mp4")) == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(VideoError, match=r"a.gif: unsupported video format; use one of .mp4"):
        Recorder(tmp_path / "a.gif", 10, (96, 160))


def fake_ffmpeg(folder, body):
    folder.mkdir()
    (folder / "ffmpeg").write_text(f"#!/bin/sh\n{body}\n")
    (folder / "ffmpeg").chmod(0o755)
    return str(folder)


def test_sound(tmp_path, monkeypatch):
    """With ffmpeg the picture is copied and the sound put to it; without, or if it fails, the copy is silent."""
    source = write_video(tmp_path / "source.mp4", FRAMES)
    shown = [(0, FRAMES[0]), (0.1, FRAMES[1])]
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "ffmpeg, which would copy it, is not installed" in record(tmp_path / "a.mp4", shown, sound_of=source).silent
    log = tmp_path / "log"
    # The last word is the output; what stands after the first -i is the picture.
    body = (
        f'echo "$@" >> {log}\n'
        'while [ "$1" != -i ]; do shift; done\npicture=$2\n'
        'for out; do :; done\n/bin/cp "$picture" "$out"'
    )
    monkeypatch.setenv("PATH", fake_ffmpeg(tmp_path / "good", body))
    assert record(tmp_path / "b.mp4", shown, sound_of=source).silent == ""
    assert f"-i {source} -map 0:v:0 -map 1:a? -c copy -t 0.200" in log.read_text()
    assert len(read(tmp_path / "b.mp4")) == 2
    monkeypatch.setenv("PATH", fake_ffmpeg(tmp_path / "bad", "exit 1"))
    assert record(tmp_path / "c.mp4", shown, sound_of=source).silent == "without sound: ffmpeg could not copy it"
    assert len(read(tmp_path / "c.mp4")) == 2
    assert {entry.name for entry in tmp_path.glob("*.mp4")} == {"source.mp4", "a.mp4", "b.mp4", "c.mp4"}


def test_ahead_is_bounded_ordered_and_ends():
    made = []

    def items():
        for number in range(50):
            made.append(number)
            yield number

    stream = read_ahead(items(), 3, "test")
    assert next(stream) == 0
    time.sleep(0.05)
    assert len(made) <= 6, "one taken, three waiting, one in hand"
    assert list(stream) == list(range(1, 50))
    assert not any(thread.name == "facepipe-test" for thread in threading.enumerate())


def test_ahead_closes_what_it_reads_from():
    closed = []

    def items():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    stream = read_ahead(items(), 2, "test")
    next(stream)
    stream.close()
    assert closed == [True]


def test_ahead_passes_exceptions_on():
    def items():
        yield 1
        raise ValueError("broken")

    stream = read_ahead(items(), 2, "test")
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_a_live_source_is_not_waited_for():
    """A source of fifty items that nobody reads for a while: the oldest are let go."""
    went = threading.Event()
    dropped = []

    def items():
        yield from range(50)
        went.set()

    stream = read_ahead(items(), 3, "test", drop=dropped.append)
    first = next(stream)
    assert went.wait(5)
    rest = list(stream)
    assert rest[-1] == 49 and sorted([first, *rest, *dropped]) == list(range(50))


def test_behind_works_in_order_and_passes_exceptions_on():
    done = []
    with InBackground(done.append, 2, "test") as work:
        for number in range(20):
            work.put(number)
    assert done == list(range(20))

    def fail(_):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), InBackground(fail, 2, "test") as work:
        for number in range(20):
            work.put(number)



def test_ended_by_a_signal_there_is_no_film(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"the old one")
    with pytest.raises(Ended), Recorder(path, 10, (32, 32)) as recorder:
        recorder.write(0, np.zeros((32, 32, 3), np.uint8))
        raise Ended
    assert path.read_bytes() == b"the old one" and [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert not recorder.done


def test_a_film_that_was_not_written_whole_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.avi"
    path.write_bytes(b"the old one")
    with pytest.raises(VideoError, match=r"a\.avi: .* written; is the disk full"):  # noqa: SIM117
        with Recorder(path, 10, (32, 32)) as recorder:
            for number in range(5):
                recorder.write(number / 10, np.zeros((32, 32, 3), np.uint8))
            recorder._writer.release()
            recorder._raw.write_bytes(recorder._raw.read_bytes()[:200])
            monkeypatch.setattr(recorder, "_repeat", lambda until: None)
    assert path.read_bytes() == b"the old one" and [p.name for p in tmp_path.iterdir()] == ["a.avi"]


def test_only_containers_that_count_are_believed(tmp_path):
    for name, start, believed in (
        ("a.mp4", b"\0\0\0 ftypisom", True), ("a.avi", b"RIFF1234AVI ", True), ("a.mkv", b"\x1aE\xdf\xa3", False)
    ):  # fmt: skip
        (tmp_path / name).write_bytes(start + bytes(20))
        assert holds_count(tmp_path / name) is believed
