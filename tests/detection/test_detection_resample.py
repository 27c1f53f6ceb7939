"""Area resampling from summed-area tables, against PyTorch's own area interpolation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from facepipe.detection.resample import build_tables, cut, shrink
from facepipe.detection.torch_arrays import TorchArrays

CPU = TorchArrays(torch.device("cpu"))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def area(image, height, width):
    """What MTCNN's published PyTorch form feeds its networks, in float64: 1×3×height×width."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].double()
    return (interpolate(pixels, size=(height, width), mode="area") - 127.5) / 128


def assert_equal(result, expected):
    assert result.dtype == torch.float32
    assert result.shape == expected.shape
    assert (result.double() - expected).abs().max() < 1e-6


@pytest.mark.parametrize("size", [(20, 31), (40, 62), (1, 1), (39, 61), (80, 124), (7, 200), (97, 3)])
def test_shrink_is_area_interpolation_for_any_size(size):
    image = noise(40, 62)
    assert_equal(shrink(build_tables([image], CPU), 0, 1, size), area(image, *size))


def test_shrink_takes_the_images_asked_for_among_mixed_sizes():
    images = [noise(30, 20, 0), noise(25, 45, 1), noise(25, 45, 2), noise(25, 45, 3), noise(1, 1, 4)]
    tables = build_tables(images, CPU)
    assert_equal(shrink(tables, 0, 1, (12, 8)), area(images[0], 12, 8))
    middle = shrink(tables, 1, 3, (11, 17))
    assert_equal(middle, torch.cat([area(image, 11, 17) for image in images[1:4]]))
    assert_equal(shrink(tables, 2, 2, (11, 17)), middle[1:].double())
    assert_equal(shrink(tables, 4, 1, (5, 3)), area(images[4], 5, 3))


def test_results_are_channels_last():
    tables = build_tables([noise(30, 20), noise(30, 20, 1)], CPU)
    boxes = torch.tensor([[0, 0, 20, 20], [3, 4, 9, 10]])
    for result in (shrink(tables, 0, 2, (9, 7)), cut(tables, torch.tensor([0, 1]), boxes, 6)):
        assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("side", [24, 48])
def test_cut_is_area_interpolation_of_every_box(side):
    images = [noise(60, 90, 0), noise(90, 60, 1), noise(50, 50, 2)]
    boxes = [
        (0, 0, 0, 90, 60),  # the whole image, 24 or 48 of 90: bins overlap
        (1, 10, 20, 11, 80),  # one pixel wide
        (1, 0, 89, 60, 90),  # one pixel high
        (2, 49, 49, 50, 50),  # one pixel
        (0, 3, 5, 15, 17),  # scaled up
        (2, 1, 1, 49, 49),
        (1, 12, 30, 60, 54),
    ]
    owner = torch.tensor([box[0] for box in boxes])
    result = cut(build_tables(images, CPU), owner, torch.tensor([box[1:] for box in boxes]), side)
    for (image, left, top, right, bottom), piece in zip(boxes, result, strict=True):
        assert_equal(piece[None], area(images[image][top:bottom, left:right], side, side))


def surrounded(image, left, top, right, bottom):
    """The pixels of a box that may reach beyond the image, as pad.m of MTCNN's published code takes them: one by one,
    those outside black."""
    pixels = np.zeros((bottom - top, right - left, 3), np.uint8)
    for y in range(max(top, 0), min(bottom, image.shape[0])):
        for x in range(max(left, 0), min(right, image.shape[1])):
            pixels[y - top, x - left] = image[y, x]
    return pixels


@pytest.mark.parametrize("side", [24, 48])
def test_outside_the_image_is_black(side):
    image = noise(40, 30)
    boxes = [(-7, -9, 21, 19), (20, 25, 60, 65), (-20, -15, 50, 55), (29, 39, 40, 50), (-13, 10, 1, 24), (5, -3, 8, 0)]
    tables = build_tables([noise(9, 9, 5), image], CPU)
    result = cut(tables, torch.ones(len(boxes), dtype=torch.int64), torch.tensor(boxes), side)
    for box, piece in zip(boxes, result, strict=True):
        assert_equal(piece[None], area(surrounded(image, *box), side, side))
    assert (result[-1] == -127.5 / 128).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_cut_of_boxes_across_the_edge(data):
    image = noise(data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40)))
    left, top = data.draw(st.integers(-50, 50)), data.draw(st.integers(-50, 50))
    right, bottom = left + data.draw(st.integers(1, 90)), top + data.draw(st.integers(1, 90))
    side = data.draw(st.integers(1, 50))
    box = torch.tensor([[left, top, right, bottom]])
    result = cut(build_tables([image], CPU), torch.tensor([0]), box, side)
    assert_equal(result, area(surrounded(image, left, top, right, bottom), side, side))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_cut_of_any_boxes_of_any_images(data):
    sizes = data.draw(st.lists(st.tuples(st.integers(1, 70), st.integers(1, 70)), min_size=1, max_size=4))
    images = [noise(*size, seed) for seed, size in enumerate(sizes)]
    owner, boxes = [], []
    for _ in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(0, len(images) - 1))
        height, width = sizes[index]
        left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
        owner.append(index)
        boxes.append((left, top, right, bottom))
    side = data.draw(st.integers(1, 50))
    result = cut(build_tables(images, CPU), torch.tensor(owner), torch.tensor(boxes), side)
    for index, (left, top, right, bottom), piece in zip(owner, boxes, result, strict=True):
        assert_equal(piece[None], area(images[index][top:bottom, left:right], side, side))


def test_no_boxes_give_no_crops():
    none = torch.zeros(0, dtype=torch.int64)
    assert cut(build_tables([noise(9, 9)], CPU), none, none.view(0, 4), 24).shape == (0, 3, 24, 24)


@pytest.mark.slow
def test_sums_of_a_large_white_image_may_wrap_around():
    """4200² pixels of 255 sum to 4.5·10⁹: beyond 2³¹ and beyond 2³²."""
    image = np.full((4200, 4200, 3), 255, np.uint8)
    image[4000:, 4000:] = noise(200, 200)
    tables = build_tables([noise(3, 5), image], CPU)
    # The table would be wrong as a number by now, so this test does test something.
    assert int(tables.sums[-1, 0]) != int(image[..., 0].sum(dtype=np.int64))
    blocks = image.reshape(42, 100, 42, 100, 3).mean((1, 3))
    expected = (torch.from_numpy(blocks).permute(2, 0, 1)[None] - 127.5) / 128
    assert_equal(shrink(tables, 1, 1, (42, 42)), expected)
    corners = [4000, 4000, 4200, 4200], [0, 0, 2400, 2400], [4150, 3990, 4200, 4040], [4199, 0, 4200, 4200]
    boxes = torch.tensor(corners)
    result = cut(tables, torch.ones(len(boxes), dtype=torch.int64), boxes, 24)
    for (left, top, right, bottom), piece in zip(boxes.tolist(), result, strict=True):
        assert_equal(piece[None], area(image[top:bottom, left:right], 24, 24))
