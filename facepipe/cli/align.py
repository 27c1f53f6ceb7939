"""``facepipe align``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.screen import note, print_json, progress
from facepipe.errors import FacepipeError

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings


@click.command("align")
@options.some_paths
@click.option("-o", "--out", required=True, type=options.output_path, help="Folder for the crops.")
@options.crop_template
@options.faces
@options.detection
@options.device
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["jpg", "png", "webp"]),
    default="png",
    show_default=True,
    help="Format of the crops.",
)
@options.as_json
def command(
    paths: tuple[Path, ...],
    out: Path,
    template: str | None,
    rule: str,
    detection: "DetectorSettings",
    device: str,
    suffix: str,
    as_json: bool,
) -> None:
    """Cut aligned crops out of images or folders of images.

    A crop is named after its image (a second face gets _1, and so on; the image's extension stays in where
    another crop has the name) and lies under the same sub-folders. For whole datasets use
    'facepipe preprocess', which can be resumed and keeps a manifest.
    With --json one line per image: {"path", "crops", "status", "reason"}.
    """
    from facepipe.alignment import Aligner
    from facepipe.detection import create_detector
    from facepipe.images import list_images, write_rgb
    from facepipe.pipeline import Cropper, read_batches
    from facepipe.preprocess.presets import crop_defaults

    for root in paths:
        if root.is_dir() and root.resolve() == out.resolve():
            raise FacepipeError(f"{out}: crops must not go where the images are; name another folder with --out")
    usual = crop_defaults(detection)
    cropper = Cropper(Aligner(template or usual.template), create_detector(detection, device), rule, "drop")
    taken: set[Path] = set()
    count = 0
    with progress("aligning") as advance:
        for root in paths:
            for batch in read_batches(list_images(root)):
                for result in cropper(batch):
                    folder = out / (result.path.parent.relative_to(root) if root.is_dir() else "")
                    crops = []
                    for number, crop in enumerate(result.crops):
                        crops.append(_name(folder, result.path, number, suffix, taken))
                        write_rgb(crops[-1], crop, usual.quality)
                    _show(result.path, crops, result.status, result.reason, as_json)
                count += len(batch)
                advance(len(batch))
    if not taken:
        raise FacepipeError(f"{paths[0]}: no face in {count} image(s); nothing was written")


def _name(folder: Path, image: Path, number: int, suffix: str, taken: set[Path]) -> Path:
    """A name for the crop that no crop of this run has; never that of the image."""
    tail = f"_{number}" if number else ""
    stem = image.stem
    while (name := folder / f"{stem}{tail}.{suffix}") in taken:
        stem += image.suffix or "_"
    if name.resolve() == image.resolve():
        raise FacepipeError(f"{name}: the crop would replace the image; name another folder with --out")
    taken.add(name)
    return name


def _show(path: Path, crops: list[Path], status: str, reason: str, as_json: bool) -> None:
    if as_json:
        print_json({"path": str(path), "crops": list(map(str, crops)), "status": status, "reason": reason}, indent=None)
    elif reason:
        note(f"{path}: {reason}", style="yellow")
    else:
        for crop in crops:
            click.echo(str(crop))
