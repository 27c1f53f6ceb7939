"""The one check of pixels that come from outside."""

import numpy as np
import pytest
from PIL import Image

from facepipe.errors import ImageError
from facepipe.images import encode_rgb, write_rgb

GOOD = np.zeros((4, 5, 3), np.uint8)
BAD = {
    "floats of 0…1": (GOOD / 255.0, "values 0…1"),
    "sixteen bits": (GOOD.astype(np.uint16), "scale it to 0…255"),
    "grey": (GOOD[:, :, 0], "for a grey image"),
    "alpha": (np.zeros((4, 5, 4), np.uint8), "drop the alpha channel"),
    "nothing": (GOOD[:0], "no pixels"),
    "Pillow": (Image.fromarray(GOOD), "convert"),
    "a name": ("a.jpg", "read_rgb"),
    "channels first": (np.zeros((3, 4, 5), np.uint8), "read_rgb"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_image_is_refused_with_advice(tmp_path, kind):
    image, advice = BAD[kind]
    with pytest.raises(ImageError, match="must be") as caught:
        write_rgb(tmp_path / "a.png", image)
    assert advice in str(caught.value) and not list(tmp_path.iterdir())


def test_a_view_is_fine():
    assert encode_rgb(np.zeros((4, 9, 3), np.uint8)[:, ::2], ".png")
