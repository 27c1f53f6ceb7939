"""``facepipe demo``."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.screen import note
from facepipe.errors import FacepipeError, MissingExtraError, ModelError

if TYPE_CHECKING:
    import numpy as np

    from facepipe.pipeline import CroppedImage, ReadImage

# Both portraits are in the public domain: NASA's of Eileen Collins, the US Navy's of Grace Hopper.
PHOTOS = {
    "Eileen Collins": ("skimage", "data/astronaut.png", "scikit-image"),
    "Grace Hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "matplotlib"),
}
_NO_MODEL = (
    "not compared, for want of a model: 'facepipe models pull sface' fetches one, "
    "'facepipe models import sface FILE' takes one that you fetched"
)


@click.command("demo")
@click.option("-o", "--out", default="demo.jpg", show_default=True, type=options.output_path, help="Picture to write.")
@options.model
@options.device
def command(out: Path, model: str | None, device: str) -> None:
    """Detect, align and, if a model is at hand, compare two faces that installed packages carry."""
    from facepipe.align import Aligner
    from facepipe.detect import Detector
    from facepipe.images import read_rgb, write_rgb
    from facepipe.pipeline import Cropper, ReadImage

    images = [ReadImage(path, read_rgb(path)) for path in _photos()]
    found = Cropper(Aligner("112x112"), Detector(device=device), "largest")(images)
    for name, result in zip(PHOTOS, found, strict=True):
        click.echo(f"{name}: {len(result.faces)} face, score {result.faces.scores[result.chosen[0]]:.4f}")
    caption = _compare(images, model, device)
    write_rgb(out, _picture(images, found, caption))
    click.echo(f"picture: {out}")


def _photos() -> list[Path]:
    paths = []
    for package, inside, distribution in PHOTOS.values():
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(f"the demo needs {distribution}; pip install 'facepipe[plot]'")
        paths.append(Path(spec.submodule_search_locations[0]) / inside)
    return paths


def _compare(images: list["ReadImage"], model: str | None, device: str) -> str:
    """The caption: a comparison, or how to get a model for one."""
    import numpy as np

    from facepipe.align import Aligner
    from facepipe.detect import Detector
    from facepipe.pipeline import Cropper
    from facepipe.score import cosine

    try:
        embedder = options.make_embedder(model or _at_hand_or_pulled(), None, "auto", device)
    except FacepipeError:
        note(_NO_MODEL, style="yellow")
        return "detected and aligned by facepipe"
    aligner = Aligner(embedder.model.card.input.template)
    crops = [result.crops[0] for result in Cropper(aligner, Detector(device=device), "largest")(images)]
    mu = embedder(np.stack(crops)).mu
    score = float(cosine(mu[:1], mu[1:])[0])
    line = f"score {score:.3f} by {embedder.model.card.name}"
    entry = next((entry for entry in embedder.model.card.thresholds if abs(entry.far - 1e-3) < 1e-9), None)
    if entry is not None:
        verdict = "same person" if score >= entry.value else "different people"
        line = f"{verdict}: {line}, threshold {entry.value:.3f} at FAR {entry.far:g}"
    click.echo(line)
    return line


def _at_hand_or_pulled() -> str:
    from facepipe.zoo import find_card, pull

    try:
        return options.default_model()
    except ModelError:
        pull(find_card("sface"))
        return "sface"


def _picture(images: list["ReadImage"], found: list["CroppedImage"], caption: str) -> "np.ndarray":
    from facepipe.report.drawing import draw_faces, side_by_side

    panels = []
    for image, result in zip(images, found, strict=True):
        assert image.pixels is not None
        panels += [draw_faces(image.pixels, result.faces, result.chosen), result.crops[0]]
    return side_by_side(panels, caption)
