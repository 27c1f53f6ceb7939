"""Reading ahead, cropping and embedding as a stream."""

import gc
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facepipe import pipeline
from facepipe.alignment import Aligner
from facepipe.detection import Faces
from facepipe.embedding import Embedder
from facepipe.errors import ImageError
from facepipe.pipeline import Cropper, ReadImage, embed_images, read_batches
from facepipe.zoo import Model, find_card

# Landmarks count from 1 as MTCNN gives them, so one more than the place where they are.
AS_TEMPLATE = Aligner("112x96").template.points.astype(np.float32)
ELSEWHERE = AS_TEMPLATE * 0.5 + 20


class Pixels(np.ndarray):
    """An array that can be watched."""


class CountingReader:
    """Stands for `read_image`: counts the pictures that are alive at once."""

    def __init__(self, shape=(2, 2, 3)):
        self.shape, self.alive, self.most, self.read = shape, 0, 0, []
        self.lock = threading.Lock()

    def __call__(self, path, max_pixels):
        with self.lock:
            self.alive += 1
            self.most = max(self.most, self.alive)
            self.read.append(path.name)
        # Memory of a picture with no strides takes one pixel, whatever its shape.
        picture = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), self.shape).view(Pixels)
        weakref.finalize(picture, self._gone)
        return picture

    def _gone(self):
        with self.lock:
            self.alive -= 1


def watch(monkeypatch, **options):
    reader = CountingReader(**options)
    monkeypatch.setattr(pipeline, "read_image", reader)
    return reader


def drain(batches):
    """Let go of every batch before the next is asked for."""
    names = []
    while (batch := next(batches, None)) is not None:
        names.append([image.path.name for image in batch])
        del batch
    return names


def paths(count):
    return (Path(f"{number}.jpg") for number in range(count))


def test_order_is_kept_and_batches_are_full(monkeypatch):
    watch(monkeypatch)
    assert drain(read_batches(paths(23), max_images=10)) == [
        [f"{number}.jpg" for number in range(first, min(first + 10, 23))] for first in (0, 10, 20)
    ]
    assert drain(read_batches(paths(20), max_images=10))[1][-1] == "19.jpg"
    assert drain(read_batches(paths(0))) == []
    assert [len(names) for names in drain(read_batches(paths(130)))] == [64, 64, 2]


def test_slow_images_do_not_overtake(monkeypatch):
    release = threading.Event()

    def read(path, max_pixels):
        if path.name == "0.jpg":
            release.wait(10)
        elif path.name == "1.jpg":
            release.set()
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr(pipeline, "read_image", read)
    assert drain(read_batches(paths(4), max_images=4)) == [["0.jpg", "1.jpg", "2.jpg", "3.jpg"]]


def test_only_a_batch_and_the_read_ahead_are_in_memory(monkeypatch):
    reader = watch(monkeypatch)
    assert sum(map(len, drain(read_batches(paths(300), max_images=16)))) == 300
    assert 16 <= reader.most <= 16 + pipeline._AHEAD + pipeline._READERS
    gc.collect()
    assert reader.alive == 0


def test_a_caller_that_keeps_its_batch_while_the_next_is_read_holds_two(monkeypatch):
    reader = watch(monkeypatch)
    for batch in read_batches(paths(200), max_images=16):
        assert len(batch) <= 16
    assert reader.most <= 2 * 16 + pipeline._AHEAD + pipeline._READERS


def test_large_images_make_small_batches_and_a_short_read_ahead(monkeypatch):
    # 30 million pixels: one fills a batch.
    reader = watch(monkeypatch, shape=(5000, 6000, 3))
    assert [len(names) for names in drain(read_batches(paths(40)))] == [1] * 40
    assert reader.most <= 2 * pipeline._READERS + 1
    # 8 million: three do.
    reader = watch(monkeypatch, shape=(2000, 4000, 3))
    assert [len(names) for names in drain(read_batches(paths(10)))] == [3, 3, 3, 1]


def test_paths_are_taken_lazily(monkeypatch):
    taken = []

    def endless():
        while True:
            taken.append(Path(f"{len(taken)}.jpg"))
            yield taken[-1]

    reader = watch(monkeypatch)
    batches = read_batches(endless(), max_images=5)
    assert len(next(batches)) == 5
    assert len(taken) <= 5 + pipeline._AHEAD
    batches.close()  # must neither hang nor read on
    assert len(reader.read) <= 5 + pipeline._AHEAD


def test_files_that_cannot_be_read_become_reasons(tmp_path):
    good = tmp_path / "good.png"
    Image.new("RGB", (5, 4), "red").save(good)
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.jpg").touch()
    files = [tmp_path / "text.jpg", good, tmp_path / "missing.jpg", tmp_path / "empty.jpg", tmp_path, good]
    (batch,) = read_batches(files)
    assert [image.path for image in batch] == files
    assert [image.pixels is not None for image in batch] == [False, True, False, False, False, True]
    assert batch[1].pixels.shape == (4, 5, 3) and batch[1].reason == ""
    reasons = [image.reason for image in batch if image.pixels is None]
    for reason, word in zip(reasons, ("not an image", "no such file", "empty", "a folder"), strict=True):
        # The path stands in its own column, so the reason does not repeat it.
        assert word in reason and str(tmp_path) not in reason and "\n" not in reason


def test_the_pixel_limit_of_one_image(tmp_path):
    Image.new("L", (30, 30)).save(tmp_path / "a.png")
    ((image,),) = read_batches([tmp_path / "a.png"], max_pixels=899)
    assert image.pixels is None and "899" in image.reason


def test_an_error_of_the_paths_themselves_reaches_the_caller(monkeypatch):
    watch(monkeypatch)

    def broken():
        yield Path("a.jpg")
        raise ImageError("folder: cannot be listed")

    with pytest.raises(ImageError, match="cannot be listed"):
        list(read_batches(broken()))


def picture(height=112, width=96):
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def faces(*points, scores=None):
    # Boxes below each other, the second twice as large as the first, and so on.
    boxes = np.array([[0, 25 * k, 20 * k + 20, 25 * k + 20] for k in range(len(points))], np.float32).reshape(-1, 4)
    scores = np.linspace(0.99, 0.9, len(points)) if scores is None else scores
    return Faces(boxes, np.array(scores, np.float32), np.array(points, np.float32).reshape(-1, 5, 2))


def finding(*found):
    """A detector that finds these, one entry per image it is shown."""

    def detect(images):
        assert len(images) == len(found) and all(image is not None for image in images)
        return list(found)

    return detect


def test_status_of_every_kind():
    batch = [
        ReadImage(Path("two"), picture()),
        ReadImage(Path("unread"), None, "empty"),
        ReadImage(Path("nobody"), picture(60, 50)),
        ReadImage(Path("broken"), picture(80, 70)),
    ]
    search = finding(faces(ELSEWHERE, AS_TEMPLATE), Faces.none(), faces(np.full((5, 2), 7)))
    two, unread, nobody, broken = Cropper(Aligner("112x96"), search, "largest")(batch)
    assert [result.path.name for result in (two, unread, nobody, broken)] == ["two", "unread", "nobody", "broken"]
    assert (two.status, two.reason, two.size, len(two.faces)) == ("ok", "", (112, 96), 2)
    assert two.chosen.tolist() == [1]
    # The chosen face lies exactly on the template, so the crop is the picture.
    assert (two.crops[0] == batch[0].pixels).all()
    assert (unread.status, unread.reason, unread.size, unread.crops) == ("error", "empty", (0, 0), ())
    assert (nobody.status, nobody.reason, nobody.size, nobody.crops) == ("no_face", "no face found", (60, 50), ())
    assert (broken.status, broken.crops, len(broken.faces)) == ("error", (), 1)
    assert "nothing can be aligned" in broken.reason and broken.chosen.tolist() == []


def test_all_faces_are_cropped_best_first():
    search = finding(faces(ELSEWHERE, AS_TEMPLATE, scores=[0.91, 0.97]))
    (result,) = Cropper(Aligner("112x96"), search, "all")([ReadImage(Path("a"), picture())])
    assert result.chosen.tolist() == [1, 0] and len(result.crops) == 2
    assert (result.crops[0] == picture()).all()


def test_the_centre_stands_in_where_it_is_asked_to():
    aligner = Aligner("112x96")
    image = picture(250, 250)
    cropper = Cropper(aligner, finding(Faces.none()), on_miss="centre")
    (result,) = cropper([ReadImage(Path("a"), image)])
    assert (result.status, result.reason, result.chosen.tolist()) == ("centre", "", [])
    assert (result.crops[0] == aligner.centre(image)).all() and result.crops[0].shape == (112, 96, 3)


def test_without_a_detector_images_are_aligned_crops():
    pixels = (picture(112, 112), None, picture(1, 1))
    batch = [ReadImage(Path(name), image, "empty") for name, image in zip("abc", pixels, strict=True)]
    a, b, c = Cropper(Aligner("112x96"), None)(batch)
    assert (a.status, b.status, c.status) == ("aligned", "error", "aligned")
    assert (a.crops[0] == batch[0].pixels[:, 8:104]).all()
    assert c.crops[0].shape == (112, 96, 3) and len(a.faces) == len(a.chosen) == 0


class Mean(torch.nn.Module):
    """Embeds a crop as its mean colour."""

    def forward(self, x):
        return x.mean((2, 3))


@pytest.fixture
def embedder():
    card = find_card("mobilefacenet-casia")
    card = replace(card, embedding=replace(card.embedding, dim=3, flip="none"))
    return Embedder(Model(card, Mean(), "mean@0", torch.device("cpu")), precision="float32")


def test_embeddings_carry_names_and_failures(tmp_path, embedder):
    for number, colour in enumerate(("black", "white", "red", "blue")):
        Image.new("RGB", (112, 112), colour).save(tmp_path / f"{number}.png")
    (tmp_path / "text.png").write_text("no image")
    files = [tmp_path / name for name in ("1.png", "text.png", "0.png", "2.png", "3.png", "1.png")]
    found = iter([faces(*[AS_TEMPLATE] * count) for count in (1, 0, 3, 1, 0)])

    def search(images):
        return [next(found) for _ in images]

    steps = []
    cropper = Cropper(Aligner("112x96"), search, "all")
    (embeddings,) = embed_images(files, cropper, embedder, name=lambda path: path.name, progress=steps.append)
    assert embeddings.paths == ("1.png", "2.png", "2.png#1", "2.png#2", "3.png")
    assert embeddings.failed == (
        ("text.png", "not an image that facepipe can read; convert it to JPEG or PNG"),
        ("0.png", "no face found"),
        ("1.png", "no face found"),
    )
    assert embeddings.detected.tolist() == [True] * 5
    assert (embeddings.model, embeddings.flip, steps) == ("mean@0", "none", [6])
    white, red, *_, blue = embeddings.mu
    assert white.argmin() >= 0 and (white > 0.9).all()
    assert red[0] > 0.9 > red[2] and blue[2] > 0.9 > blue[0]


def test_embeddings_know_where_the_centre_stood_in(tmp_path, embedder):
    Image.new("RGB", (200, 200), "white").save(tmp_path / "a.png")
    cropper = Cropper(Aligner("112x96"), finding(faces(AS_TEMPLATE), faces()), on_miss="centre")
    (embeddings,) = embed_images([tmp_path / "a.png"] * 2, cropper, embedder)
    assert embeddings.paths == (str(tmp_path / "a.png"),) * 2
    assert embeddings.detected.tolist() == [True, False]


def test_a_batch_without_any_face_still_reports(tmp_path, embedder):
    cropper = Cropper(Aligner("112x96"), lambda images: [Faces.none() for _ in images])
    (embeddings,) = embed_images([tmp_path / "missing.png"], cropper, embedder)
    assert len(embeddings) == 0 and embeddings.mu.shape == (0, 3) and embeddings.paths == ()
    assert [path for path, _ in embeddings.failed] == [str(tmp_path / "missing.png")]
    assert list(embed_images([], cropper, embedder)) == []
