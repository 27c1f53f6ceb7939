"""Cut aligned crops out of photos."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.door import Output, door
from facepipe.cli.inputs import Inputs, mirrored, pages_option, strict_option
from facepipe.cli.screen import note, print_json, progress, say
from facepipe.errors import FacepipeError
from facepipe.files import require_apart
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings
    from facepipe.pipeline import CroppedImage

_MOST_CHECKED = 8
"""Crops per image whose names are checked for conflicts before the work."""


@click.command("align")
@options.some_paths
@click.option("-o", "--out", required=True, type=options.output_path, help="Folder for the crops.")
@options.crop_template
@options.cut_faces
@options.detection
@options.device
@options.engine
@options.crop_format("png")
@strict_option
@pages_option
@options.as_json
@door(Output("out"), reads=("paths",), walks=("paths",))
def command(
    paths: tuple[Path, ...],
    out: Path,
    template: str | None,
    rule: str | None,
    detection: "DetectorSettings",
    device: str,
    engine: str,
    suffix: str,
    strict: bool,
    pages: str,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Cut aligned crops out of images or folders of images.

    A crop is named after its image (a second face gets _1, and so on; if two images have the same name, the
    extension is kept) and keeps its subfolders. For whole datasets use 'facepipe preprocess', which can be resumed
    and writes a manifest. With --json one line per image: {"path", "engine", "crops", "status", "reason", "remarks"},
    and at the end {"passed_over"} if anything was left out.
    """
    from facepipe.alignment import Aligner
    from facepipe.detection import create_detector
    from facepipe.engines import choose_engine
    from facepipe.images import write_rgb
    from facepipe.pipeline import Cropper, read_batches
    from facepipe.preprocess.presets import crop_defaults

    defaults = crop_defaults(detection)
    chosen = choose_engine(engine, device=device, photos=options.count_photos(paths))
    rule = rule or defaults.rule or "largest"
    cropper = Cropper(Aligner(template or defaults.template), create_detector(detection, device, chosen), rule, "drop")
    inputs = Inputs(strict, pages)
    stems = mirrored(inputs.images_by_root(*paths), out)
    many = range(_MOST_CHECKED if rule == "all" else 1)
    require_apart((_crop(stem, n, suffix) for stem in stems.values() for n in many), stems, overwrite)
    count = left_out = written = 0
    with progress("aligning") as advance:
        for batch in read_batches(stems, read=inputs.read):
            for result in cropper(batch):
                crops = [_crop(stems[result.path], number, suffix) for number in range(len(result.crops))]
                for name, crop in zip(crops, result.crops, strict=True):
                    write_rgb(name, crop, defaults.quality)
                written += len(crops)
                left_out += not crops
                inputs.see(result.path, result.remarks)
                _show(result, crops, chosen, as_json)
            count += len(batch)
            advance(len(batch))
    inputs.report()
    if as_json and inputs.passed:
        print_json(inputs.passed_over(), indent=None)
    if not written:
        raise FacepipeError(f"{paths[0]}: no face in {counted(count, 'image')}; nothing was written")
    inputs.end(left_out)


def _crop(stem: Path, number: int, suffix: str) -> Path:
    return stem.with_name(f"{stem.name}_{number}.{suffix}" if number else f"{stem.name}.{suffix}")


def _show(result: "CroppedImage", crops: list[Path], engine: str, as_json: bool) -> None:
    if as_json:
        record = {"path": str(result.path), "engine": engine, "crops": list(map(str, crops)), "status": result.status}
        print_json(record | {"reason": result.reason, "remarks": list(result.remarks)}, indent=None)
    elif result.reason:
        note(f"{result.path}: {result.reason}", style="yellow")
    else:
        for crop in crops:
            say(crop)
