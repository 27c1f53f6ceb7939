"""``facepipe demo``."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.errors import MissingExtraError

if TYPE_CHECKING:
    import numpy as np

    from facepipe.pipeline import CroppedImage, ReadImage

# Both portraits are in the public domain: NASA's of Eileen Collins, the US Navy's of Grace Hopper.
PHOTOS = {
    "Eileen Collins": ("skimage", "data/astronaut.png", "scikit-image"),
    "Grace Hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "matplotlib"),
}
@click.command("demo")
@click.option("-o", "--out", default="demo.jpg", show_default=True, type=options.output_path, help="Picture to write.")
@options.model
@options.device
def command(out: Path, model: str | None, device: str) -> None:
    """Detect, align and compare two faces that installed packages carry, with the model that ships."""
    from facepipe.alignment import Aligner
    from facepipe.cli.verdict import USUAL_FAR, caption, decision, judge, show
    from facepipe.detection import create_detector
    from facepipe.images import read_rgb, write_rgb
    from facepipe.pipeline import Cropper, ReadImage

    embedder = options.make_embedder(model, None, "auto", device)
    images = [ReadImage(path, read_rgb(path)) for path in _photos()]
    found = Cropper(Aligner(embedder.model.card.input.template), create_detector(device=device), "largest")(images)
    answer = judge(found, embedder, "cosine", decision(embedder, "cosine", USUAL_FAR, None), 0.5)
    show(answer)
    write_rgb(out, _picture(images, found, caption(answer)))
    click.echo(f"picture: {out}")


def _photos() -> list[Path]:
    paths = []
    for package, inside, distribution in PHOTOS.values():
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(f"the demo needs {distribution}; pip install 'facepipe[plot]'")
        paths.append(Path(spec.submodule_search_locations[0]) / inside)
    return paths


def _picture(images: list["ReadImage"], found: list["CroppedImage"], caption: str) -> "np.ndarray":
    from facepipe.report.drawing import draw_faces, side_by_side

    panels = []
    for image, result in zip(images, found, strict=True):
        assert image.pixels is not None
        panels += [draw_faces(image.pixels, result.faces, result.chosen), result.crops[0]]
    return side_by_side(panels, caption)
