"""Crops and batches: right pixels and labels, bounded memory, corrupt samples counted and replaced."""

import threading
from contextlib import closing

import cv2
import numpy as np
import pytest
import torch
from train_tiny import SIDE, crop, encoded, write_folders

from facepipe.alignment import fit_crop
from facepipe.datasets import Samples, open_samples
from facepipe.errors import DatasetError, ImageError
from facepipe.train.data.augment import Augment
from facepipe.train.data.crops import ATTEMPTS, Crops
from facepipe.train.data.loader import Loader, Share, to_network

SIZE = (SIDE, SIDE)


def in_memory(images: list[bytes], labels=None) -> Samples:
    labels = np.arange(len(images)) % 2 if labels is None else np.asarray(labels)
    return Samples("memory", labels, ["a", "b"], images.__getitem__, lambda i: f"memory[{i}]")


def good(count):
    return [encoded(crop(i % 2, i)) for i in range(count)]


def batches(samples, seed=0, share=None, augment=None, memory=0, workers=2, steps=6):
    share = share or Share(4)
    loader = Loader(Crops(samples, SIZE, memory=memory, seed=seed), augment or Augment(), seed, share, workers)
    with closing(loader.batches(0, steps)) as stream:
        return list(stream)


def equal(ours, theirs):
    return len(ours) == len(theirs) and all(
        (a == c).all() and (b == d).all() for (a, b), (c, d) in zip(ours, theirs, strict=True)
    )


def test_batches_have_the_pixels_of_their_labels():
    samples = in_memory(good(10))
    for crops, labels in batches(samples, augment=Augment(mirror=0.0)):
        assert crops.shape == (4, SIDE, SIDE, 3) and labels.dtype == np.int64
        for pixels, label in zip(crops, labels, strict=True):
            assert any((pixels == crop(i % 2, i)).all() and label == i % 2 for i in range(10))


def test_workers_memory_and_starting_point_do_not_change_batches():
    samples = in_memory(good(11))
    strong = Augment(crop=0.5, colour=0.5, blur=0.5, jpeg=0.5, low_resolution=0.5)
    expected = batches(samples, augment=strong, workers=1)
    for workers, memory in [(4, 0), (2, 3 * SIDE * SIDE * 3), (3, 10**9)]:
        assert equal(batches(samples, augment=strong, workers=workers, memory=memory), expected)
    loader = Loader(Crops(samples, SIZE), strong, 0, Share(4), 2)
    with closing(loader.batches(3, 6)) as stream:
        assert equal(list(stream), expected[3:])
    assert not equal(batches(samples, seed=1, augment=strong), expected)


def test_opencv_gets_its_threads_back():
    """Of several loaders the last gives them back, in whatever order they end."""
    samples = in_memory(good(10))
    own = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        first, second = (
            Loader(Crops(samples, SIZE), Augment(), 0, Share(4), 1).batches(0, 6) for _ in range(2)
        )
        next(first)
        assert cv2.getNumThreads() == 1
        next(second)
        first.close()
        assert cv2.getNumThreads() == 1
        list(second)
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(own)


def test_ranks_and_micro_batches_see_the_same_samples_together():
    samples = in_memory(good(13))
    whole = np.concatenate([crops for crops, _ in batches(samples, share=Share(12), steps=2)])
    parts = [
        crops
        for rank in range(2)
        for crops, _ in batches(samples, share=Share(3, 2, rank, 2), steps=2)
    ]
    seen = sorted(pixels.tobytes() for part in parts for pixels in part)
    assert seen == sorted(pixels.tobytes() for pixels in whole)


@pytest.mark.parametrize("numbered", [False, True])
def test_unaugmented_copies_are_appended(numbered):
    """ProbFace's batch: the mirrored crops, then the same ones unchanged, under the same labels."""
    samples = in_memory(good(10))
    alone = Loader(Crops(samples, SIZE), Augment(mirror=1.0), 0, Share(4), 2, numbered=numbered)
    doubled = Loader(
        Crops(samples, SIZE), Augment(mirror=1.0), 0, Share(4), 2, numbered=numbered, append_unaugmented=True
    )
    for step in range(4):
        (crops, labels), (both, twice) = alone.build(step, 0), doubled.build(step, 0)
        assert both.shape == (8, SIDE, SIDE, 3) and twice.tolist() == [*labels, *labels]
        assert (both[:4] == crops).all(), "the augmented half is the batch of a loader without the option"
        assert (both[4:] == crops[:, :, ::-1]).all()


def test_memory_is_bounded_and_used():
    reads = []
    images = good(10)

    def read(index):
        reads.append(index)
        return images[index]

    samples = Samples("memory", np.arange(10) % 2, ["a", "b"], read, str)
    crops = Crops(samples, SIZE, memory=6 * SIDE * SIDE * 3 + 5)
    reads.clear()
    for _ in range(3):
        crops.batch(np.arange(10), np.zeros(10, np.int64))
    assert sorted(reads) == sorted([*range(6), *list(range(6, 10)) * 3])
    assert crops._cache.nbytes == 6 * SIDE * SIDE * 3


@pytest.mark.parametrize("broken", [b"", b"not an image", None, encoded(crop(0, 0, (20, 30)))])
def test_a_corrupt_sample_is_counted_and_replaced_deterministically(broken):
    images = good(12)
    if broken is None:
        broken = images[5][:60]
    images[5] = broken
    runs = [batches(in_memory(images), workers=workers, memory=memory) for workers, memory in [(1, 0), (3, 10**9)]]
    assert equal(*runs)
    known = {pixels.tobytes(): i % 2 for i in range(12) for pixels in (crop(i % 2, i), crop(i % 2, i)[:, ::-1])}
    for crops, labels in runs[0]:
        assert [known[pixels.tobytes()] for pixels in crops] == labels.tolist()
    crops = Crops(in_memory(images), SIZE)
    for _ in range(2):
        crops.batch(np.arange(12), np.zeros(12, np.int64))
    assert list(crops.corrupt) == [5]


def test_a_missing_file_is_only_a_corrupt_sample(tmp_path):
    root = write_folders(tmp_path / "faces", identities=2, images=4)
    samples = open_samples([root])
    (root / "person00" / "2.png").unlink()
    crops = Crops(samples, SIZE)
    crops.batch(np.arange(8), np.zeros(8, np.int64))
    assert list(crops.corrupt) == [2]
    assert "no such file" in crops.corrupt[2].lower()


def test_mostly_corrupt_data_end_with_a_line_not_a_loop():
    with pytest.raises(DatasetError, match="none of the first 20 images can be read"):
        Crops(in_memory([b"x"] * 20), SIZE)
    images = good(344) + [b"x"] * 60
    crops = Crops(in_memory(images), SIZE, max_corrupt=0.1)
    with pytest.raises(DatasetError, match=r"memory: \d+ of 404 unreadable, the last: memory\[\d+\]"):
        crops.batch(np.arange(404), np.zeros(404, np.int64))
    assert len(crops.corrupt) <= 42
    crops = Crops(in_memory(good(1) + [b"x"] * 4000), SIZE, max_corrupt=1.0)
    with pytest.raises(DatasetError, match=f"{ATTEMPTS} samples in a row"):
        crops.batch(np.arange(1, 2), np.zeros(1, np.int64))


def test_errors_of_workers_reach_the_caller_and_threads_end():
    before = threading.active_count()
    images = good(8) + [b"x"] * 400
    loader = Loader(Crops(in_memory(images), SIZE), Augment(), 0, Share(8), 2)
    with pytest.raises(DatasetError), closing(loader.batches(0, 50)) as stream:
        list(stream)
    with closing(Loader(Crops(in_memory(good(8)), SIZE), Augment(), 0, Share(4), 2).batches(0, 10**6)) as stream:
        next(stream)
    assert threading.active_count() == before


def test_fit_takes_the_middle_columns_or_says_what_to_do():
    wide = np.arange(112 * 112 * 3, dtype=np.uint32).reshape(112, 112, 3).astype(np.uint8)
    assert (fit_crop(wide, (112, 96)) == wide[:, 8:104]).all()
    assert fit_crop(wide, (112, 112)) is wide
    assert fit_crop(wide, (96, 96), "resize").shape == (96, 96, 3)
    for size in [(112, 80), (96, 96), (128, 128)]:
        with pytest.raises(ImageError, match=r"112×112, the network takes .*facepipe preprocess"):
            fit_crop(wide, size)
    with pytest.raises(DatasetError, match=r"memory\[0\]: the crop is 16×16, the network takes 112×96"):
        Crops(in_memory(good(2)), (112, 96))


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_to_network_longhand(channels):
    crops = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3)).astype(np.uint8)
    x = to_network(crops, torch.device("cpu"), 127.5, 128.0, channels)
    order = crops if channels == "rgb" else crops[..., ::-1]
    expected = (order.astype(np.float64).transpose(0, 3, 1, 2) - 127.5) / 128
    assert x.dtype == torch.float32 and x.shape == (3, 3, 5, 4)
    assert abs(x.numpy() - expected).max() < 1e-7
    assert x.is_contiguous(memory_format=torch.channels_last)
