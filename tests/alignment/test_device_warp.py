"""The warp on the device: against bilinear reading longhand, against the host's, and at its limits."""

from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from similarities import crop_pixels, moved, similarity

from facepipe.alignment import Aligner, device_aligner, warp
from facepipe.alignment.device_aligner import DeviceAligner, PlannedCrop
from facepipe.alignment.device_warp import device_warp, place_crop
from facepipe.detection import create_detector, preset, shared_tables
from facepipe.detection.cascade import MTCNN
from facepipe.detection.resample import build_tables
from facepipe.detection.shared_tables import share_tables
from facepipe.detection.torch_arrays import TorchArrays
from facepipe.errors import DeviceError
from facepipe.images import list_images, read_rgb

CPU = torch.device("cpu")
HEIGHT, WIDTH = 40, 30


def cut(images, which, matrices, height=HEIGHT, width=WIDTH):
    asked = zip(which, matrices, strict=True)
    places = [place_crop(matrix, images[index].shape, height, width) for index, matrix in asked]
    return device_warp(build_tables(images, TorchArrays(CPU)), which, places, height, width).numpy()


def longhand(image, matrix, height=HEIGHT, width=WIDTH):
    """Blocks averaged and read bilinearly, one at a time, in float64, without rounding."""
    factor = max(1, min(int(np.hypot(*matrix[:, 0])), max(image.shape[:2])))
    reached = moved(matrix, np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]]))
    size = image.shape[1], image.shape[0]
    first = [min(max(int(np.floor(low)) - 2 * factor, -factor), most)
             for low, most in zip(reached.min(0), size, strict=True)]  # fmt: skip

    def block(column, row):
        x, y = first[0] + column * factor, first[1] + row * factor
        inside = image[max(y, 0) : max(y + factor, 0), max(x, 0) : max(x + factor, 0)]
        return inside.reshape(-1, 3).sum(0, dtype=np.float64) / factor**2

    crop = np.zeros((height * width, 3))
    for number, point in enumerate(moved(matrix, crop_pixels(height, width))):
        u, v = ((at - low - (factor - 1) / 2) / factor for at, low in zip(point, first, strict=True))
        column, row = int(np.floor(u)), int(np.floor(v))
        a, b = u - column, v - row
        crop[number] = (
            (1 - a) * (1 - b) * block(column, row) + a * (1 - b) * block(column + 1, row)
            + (1 - a) * b * block(column, row + 1) + a * b * block(column + 1, row + 1)
        )  # fmt: skip
    return crop.reshape(height, width, 3)


MATRICES = {
    "enlarged": similarity(0.3, 0.2, 60, 40),
    "as it is": similarity(1, 0, 7, 11),
    "turned": similarity(1.4, 2.5, 100, 60),
    "halved": similarity(2.0, 0.3, 20, 30),
    "odd blocks": similarity(3.7, -0.4, 5, 60),
    "over the edge": similarity(2.6, 0.5, -40, -60),
    "over the other edge": similarity(5.2, 0.1, 90, 120),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
def test_blocks_are_averaged_and_read_bilinearly(matrix, astronaut):
    image = astronaut[60:260, 100:340]
    (got,) = cut([image], [0], [matrix])
    error = got - longhand(image, matrix)
    # Blocks are rounded, and then the crop is.
    assert np.abs(error).max() <= 0.5 + 0.5 * (np.hypot(*matrix[:, 0]) >= 2) + 1e-3
    assert abs(error.mean()) < 0.15  # halves are rounded up


def test_crops_of_all_scales_and_photos_are_cut_together(astronaut):
    photos = [astronaut, astronaut[:77, :131], astronaut[100:101, 200:201], astronaut[:, 100:103]]
    which = [number % len(photos) for number in range(4 * len(MATRICES))]
    matrices = [list(MATRICES.values())[number // len(photos)] for number in range(len(which))]
    together = cut(photos, which, matrices)
    for crop, index, matrix in zip(together, which, matrices, strict=True):
        assert (crop == cut([photos[index]], [0], [matrix])[0]).all()
        assert np.abs(crop.astype(int) - warp(photos[index], matrix, HEIGHT, WIDTH)).mean() <= 0.5


@pytest.mark.parametrize("matrix", [
    similarity(1, 0, 1e9, 1e12), similarity(3, 0, -1e7, 5), similarity(4, 1, 0, 1e6), similarity(1e6, 0, 1e9, 0),
])  # fmt: skip
def test_a_face_outside_the_photo_is_black(matrix):
    white = np.full((20, 30, 3), 255, np.uint8)
    assert not cut([white], [0], [matrix]).any()


@pytest.mark.parametrize("factor", [2000, 1e6])
def test_photos_smaller_than_a_crop_pixel(factor):
    white = np.full((20, 30, 3), 255, np.uint8)
    matrix = similarity(factor, 1)
    assert np.abs(cut([white], [0], [matrix])[0].astype(int) - warp(white, matrix, HEIGHT, WIDTH)).max() <= 1


def test_one_pixel():
    pixel = np.full((1, 1, 3), 200, np.uint8)
    (crop,) = cut([pixel], [0], [similarity(1 / 16, 0, -1, -1)])
    middle = crop[16, 16]
    assert middle.tolist() == [200] * 3 and crop[16, 8].tolist() == [100] * 3 and not crop[:, 0].any()


def test_no_faces():
    assert cut([np.zeros((5, 5, 3), np.uint8)], [], []).shape == (0, HEIGHT, WIDTH, 3)


def test_positions_are_exact_at_the_end_of_a_wide_photo():
    image = np.zeros((60, 12_000, 3), np.uint8)
    image[:] = np.random.default_rng(0).integers(0, 256, (12_000, 3))
    matrix = similarity(0.37, 0.1, 11_950.3, 20.2)
    assert np.abs(cut([image], [0], [matrix])[0] - longhand(image, matrix)).max() <= 0.51


@pytest.mark.parametrize("factor", [1.5, 40])
def test_sums_beyond_32_bits(factor):
    """A white photo's table passes 2³¹ and starts again; differences stay right."""
    white = np.full((3000, 3000, 3), 255, np.uint8)
    (crop,) = cut([white], [0], [similarity(factor, 0, 2900 - factor * WIDTH, 2900 - factor * HEIGHT)])
    assert (crop == 255).all()


def test_blocks_too_large_for_the_tables_are_left_to_the_host():
    assert place_crop(similarity(2_950, 0), (3_000, 5_000, 3), 112, 96) is None
    assert place_crop(similarity(2_850, 0), (3_000, 5_000, 3), 112, 96) is not None


# Whole faces.


def crops_of(photos, landmarks, aligner):
    return aligner.stack([aligner.cut(photo, points) for photo, points in zip(photos, landmarks, strict=True)])


@pytest.mark.parametrize("cut", ["112x112", "112x96"])
@pytest.mark.parametrize("scale", [0.25, 1, 2, 3.3, 12])
def test_faces_are_the_hosts(cut, scale, astronaut):
    """One face small to huge, upright and turned, in the middle and at the photo's edge."""
    side = round(512 * scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    photo = cv2.resize(astronaut, (side, side), interpolation=method)
    face = np.array([[203, 106], [247, 108], [228, 134], [207, 152], [243, 154]], float)
    places = [face, face @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [100, -90], face - [200, 110], face + [250, 350]]
    landmarks = [place * scale for place in places]
    host = crops_of([photo] * 4, landmarks, Aligner(cut))
    device = crops_of([photo] * 4, landmarks, DeviceAligner(cut, CPU)).numpy()
    assert (np.abs(device.astype(int) - host).mean((1, 2, 3)) <= 0.5).all()
    assert (host == 0).all(3).mean((1, 2))[2:].min() > 0.1  # they do cross the edge


def test_faces_of_lfw_are_the_hosts(shared):
    photos = [read_rgb(path) for path in islice(list_images(shared / "data" / "lfw"), 24)]
    faces = create_detector(device="cpu")(photos)
    assert all(map(len, faces))
    landmarks = [found.landmarks[0] for found in faces]
    host = crops_of(photos, landmarks, Aligner())
    device = crops_of(photos, landmarks, DeviceAligner("112x112", CPU)).numpy()
    assert (np.abs(device.astype(int) - host).mean((1, 2, 3)) <= 0.5).all()


# The aligner, and what it shares with the detector.

FACE = Aligner("112x112").template.points.astype(np.float32)


def test_crops_keep_their_order_wherever_they_were_cut(astronaut, monkeypatch):
    monkeypatch.setattr(device_aligner, "_MOST_PIXELS", 200 * 200)
    small, other, large = astronaut[:150, :160].copy(), astronaut[50:250, 20:180].copy(), astronaut
    host, device = Aligner(), DeviceAligner("112x112", CPU)
    asked = [(large, FACE), (small, FACE), (other, FACE + 20), (small, FACE * 0.7), (large, FACE * 2)]
    planned = [device.cut(*one) for one in asked]
    assert [isinstance(one, PlannedCrop) for one in planned] == [False, True, True, True, False]
    crops = device.stack([device.centre(other), *planned, device.accept(small[:112, :112])]).numpy()
    expected = np.stack([host.centre(other), *(host(*one) for one in asked), small[:112, :112]])
    assert (np.abs(crops.astype(int) - expected).mean((1, 2, 3)) <= 0.5).all()
    assert device.stack([]).shape == (0, 112, 112, 3)


@pytest.fixture
def photos(astronaut):
    face = np.ascontiguousarray(astronaut[:260, 100:360])
    return [face, np.ascontiguousarray(face[:, ::-1]), np.full((90, 100, 3), 60, np.uint8)]


def sharing(settings):
    detector, aligner = create_detector(settings, "cpu"), DeviceAligner("112x112", CPU)
    share_tables(detector, aligner.tables)
    return detector, aligner


def test_photos_are_uploaded_once(photos, monkeypatch):
    """Those of the first search; its further searches are of views, whose tables go with them."""
    detector, aligner = sharing(preset(turns=True))
    faces = detector(photos)
    assert len(aligner.tables) == len(photos) and len(faces[2]) == 0

    def again(*_):
        raise AssertionError("built a second time")

    monkeypatch.setattr(shared_tables, "build_tables", again)
    crops = crops_of(photos[:2], [found.landmarks[0] for found in faces[:2]], aligner)
    assert crops.shape == (2, 112, 112, 3)


def test_tables_go_with_their_photos(photos):
    detector, aligner = sharing(preset())
    detector(photos)
    del photos[1:]
    assert len(aligner.tables) == 1
    photos.clear()
    assert len(aligner.tables) == 0


def test_photos_reduced_for_the_search_are_uploaded_for_the_warp(photos):
    detector, aligner = sharing(preset(max_pixels=30_000, border=False))
    found = detector(photos[:1])[0]
    assert len(found) and len(aligner.tables) == 0
    crop = crops_of(photos[:1], [found.landmarks[0]], aligner).numpy()[0]
    assert np.abs(crop.astype(int) - Aligner()(photos[0], found.landmarks[0])).mean() <= 0.5


def test_tables_of_another_engine_are_not_taken(photos):
    detector = create_detector(preset(), "cpu", "onnx")
    aligner = DeviceAligner("112x112", CPU)
    share_tables(detector, aligner.tables)
    detector(photos[:1])
    assert len(aligner.tables) == 0


def test_an_array_with_other_contents_is_another_photo(photos):
    """As when a program fills one array with frame after frame; the detector shares nothing."""
    aligner, array = DeviceAligner("112x112", CPU), photos[0].copy()
    for photo in photos[:2]:
        array[:] = photo
        crop = crops_of([array], [FACE], aligner).numpy()[0]
        assert np.abs(crop.astype(int) - Aligner()(photo, FACE)).mean() <= 0.5
    assert len(aligner.tables) == 0


def test_tables_go_with_their_batch_though_a_program_holds_its_photos(photos):
    detector, aligner = sharing(preset())
    for photo in photos:
        landmarks = [found.landmarks[0] for found in detector([photo]) if len(found)]
        crops_of([photo] * len(landmarks), landmarks, aligner)
        assert len(aligner.tables) == 0


def test_a_batch_too_large_for_the_device_is_cut_in_parts(photos, monkeypatch):
    sizes = []

    def limited(tables, rows, placed, height, width):
        sizes.append(len(placed))
        if len(placed) > 1:
            raise torch.OutOfMemoryError
        return device_warp(tables, rows, placed, height, width)

    monkeypatch.setattr(device_aligner, "device_warp", limited)
    crops = crops_of(photos, [FACE] * 3, DeviceAligner("112x112", CPU)).numpy()
    host = crops_of(photos, [FACE] * 3, Aligner())
    assert sizes == [3, 1, 2, 1, 1] and (np.abs(crops.astype(int) - host).mean((1, 2, 3)) <= 0.5).all()


def test_a_search_that_fails_leaves_no_tables(photos, monkeypatch):
    detector, aligner = sharing(preset())

    def full(*_):
        raise DeviceError("no room")

    monkeypatch.setattr(MTCNN, "_output", full)
    with pytest.raises(DeviceError):
        detector(photos)
    assert len(aligner.tables) == 0
