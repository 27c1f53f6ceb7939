"""``compare`` gives one answer about two people, however their photos are framed."""

import cv2
import pytest
from cli_run import run
from face_pack import PACKAGED, FacePhoto, cut_to_box, lfw_photo

pytestmark = pytest.mark.slow


def saved(folder, name, photo):
    path = folder / f"{name}.png"
    cv2.imwrite(str(path), photo.pixels[:, :, ::-1])
    return path


def same(a, b) -> bool:
    return run("compare", a, b, "--json").json["same"]


@pytest.mark.parametrize("margin", [0.0, -0.05])
def test_packaged_photos(tmp_path, margin):
    whole, tight = {}, {}
    for name, make in PACKAGED.items():
        whole[name] = saved(tmp_path, name, make())
        tight[name] = saved(tmp_path, f"{name}-tight", cut_to_box(make(), margin))
    for name in PACKAGED:
        assert same(whole[name], tight[name])
    assert not same(tight["astronaut"], tight["hopper"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("Aaron_Peirsol", 1), ("Aaron_Peirsol", 3)),
        (("Abdullah_Gul", 12), ("Abdullah_Gul", 14)),
        (("Abel_Pacheco", 1), ("Abel_Pacheco", 4)),
        (("Aaron_Eckhart", 1), ("Aaron_Peirsol", 1)),
        (("Abdullah_Gul", 12), ("Abel_Pacheco", 1)),
    ],
    ids=lambda person: f"{person[0]}-{person[1]}",
)
def test_lfw_cut_to_the_box(shared, tmp_path, first, second):
    photos: list[FacePhoto] = [lfw_photo(shared, *person) for person in (first, second)]
    paths = [saved(tmp_path, str(number), cut_to_box(photo)) for number, photo in enumerate(photos)]
    assert same(*paths) == (first[0] == second[0])
