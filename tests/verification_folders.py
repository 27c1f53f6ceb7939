"""Small folders of aligned crops, and a second tiny model, for tests of ``facepipe eval``."""

import hashlib
from pathlib import Path

import numpy as np
from cli_run import tiny_model

from facepipe.images import write_rgb


def crop(person: int, image: int) -> np.ndarray:
    """A crop that is a person's texture with noise of its own, uint8 112×96×3."""
    base = np.random.default_rng(person).integers(0, 256, (14, 12, 3))
    noise = np.random.default_rng(1000 * person + image).integers(-60, 61, (14, 12, 3))
    return np.clip(base + noise, 0, 255).astype(np.uint8).repeat(8, 0).repeat(8, 1)


def write_crops(root: Path, names: dict[str, tuple[int, int]]) -> Path:
    """A crop for each name; values are person and image."""
    for name, (person, image) in names.items():
        write_rgb(root / name, crop(person, image))
    return root


def write_pairs(path: Path, people: int) -> Path:
    """A CSV of every image (``p0/0.png``, four each) with the next of its person, and with one of the next person."""
    lines = ["a,b,same,fold"]
    for person in range(people):
        for image in range(4):
            lines.append(f"p{person}/{image}.png,p{person}/{(image + 1) % 4}.png,1,{image}")
            lines.append(f"p{person}/{image}.png,p{(person + 1) % people}/{image}.png,0,{image}")
    path.write_text("\n".join(lines) + "\n")
    return path


def other_model(folder: Path) -> Path:
    """Like `tiny_model`, with other weights."""
    import torch
    from safetensors.torch import load_file, save_file

    tiny_model(folder)
    weights = folder / "weights.safetensors"
    old = hashlib.sha256(weights.read_bytes()).hexdigest()
    torch.manual_seed(7)
    save_file({name: value + 0.3 * torch.randn_like(value) for name, value in load_file(weights).items()}, weights)
    card = folder / "card.toml"
    text = card.read_text().replace(old, hashlib.sha256(weights.read_bytes()).hexdigest()).replace('"tiny"', '"other"')
    card.write_text(text)
    return folder
