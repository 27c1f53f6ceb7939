"""Tiny training data and a tiny recipe, for tests of the data sources and of the training loop."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 16
"""Smallest crop that the networks take."""


def crop(identity: int, image: int, size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """A crop that says who it is: a gradient of the identity's own colour, with noise of the image's own."""
    noise = np.random.Generator(np.random.Philox(key=[identity, image])).integers(0, 60, (*size, 3))
    colour = np.random.Generator(np.random.Philox(key=[identity, 10**6])).integers(0, 190, 3)
    return (noise + colour).astype(np.uint8)


def encoded(pixels: np.ndarray, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def write_folders(
    root: Path, identities: int = 6, images: int = 5, size: tuple[int, int] = (SIDE, SIDE)
) -> Path:
    for identity in range(identities):
        folder = root / f"person{identity:02d}"
        folder.mkdir(parents=True)
        for image in range(images):
            (folder / f"{image}.png").write_bytes(encoded(crop(identity, image, size)))
    return root


def write_shard(path: Path, samples: list[tuple[str, bytes, dict | None]]) -> Path:
    """A tar of KEY.png and, where there are fields, KEY.json."""
    with tarfile.open(path, "w") as tar:
        for key, image, fields in samples:
            add(tar, f"{key}.png", image)
            if fields is not None:
                add(tar, f"{key}.json", json.dumps(fields).encode())
    return path


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


RECIPE = f"""
[model]
backbone = "sphereface4"
input_size = [{SIDE}, {SIDE}]
embedding_dim = 8
options = {{ width = 0.125 }}
flip = "none"
[loss]
name = "a_softmax"
[data]
workers = 2
[optimiser]
lr = 0.01
groups = "sphereface"
[schedule]
length = 12
milestones = [8]
[loop]
batch = 8
log_every = 2
checkpoint_every = 4
"""


def write_recipe(path: Path, more: str = "") -> Path:
    path.write_text(RECIPE + more)
    return path
