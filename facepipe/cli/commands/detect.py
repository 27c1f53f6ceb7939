"""Find faces: boxes, scores and landmarks."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.door import Output, door
from facepipe.cli.inputs import Inputs, mirrored, pages_option, strict_option
from facepipe.cli.screen import note, print_json, progress, say
from facepipe.files import require_apart
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings, Faces
    from facepipe.pipeline import ReadImage


@click.command("detect")
@options.some_paths
@options.detection
@options.device
@options.engine
@strict_option
@pages_option
@options.as_json
@click.option(
    "--save",
    type=options.output_path,
    help="Folder for copies of the images with the faces drawn in, in the same subfolders.",
)
@door(Output("save"), reads=("paths",), walks=("paths",))
def command(
    paths: tuple[Path, ...],
    detection: "DetectorSettings",
    device: str,
    engine: str,
    strict: bool,
    pages: str,
    as_json: bool,
    save: Path | None,
    overwrite: bool,
) -> None:
    """Find the faces in images, or in all images of folders.

    One line per image: its faces with box, score and five landmarks, best score first; for an image that cannot be
    read, the reason. With --json the lines are JSON: {"path", "engine", "search", "faces": [{"box", "score",
    "landmarks"}], "remarks"} or {"path", "error"}, and at the end {"passed_over"} if anything was left out; "search"
    is plain, or the further search that found the faces: border, turned-90 (counter-clockwise), border-turned-90 and
    so on, or lenient-border. Boxes are left, top, right, bottom, landmarks x, y; both are pixels of the upright image,
    counted from 0 with pixel centres at integers.

    Exit code 2 if no image could be read.
    """
    from facepipe.detection import create_detector
    from facepipe.engines import choose_engine
    from facepipe.pipeline import read_batches

    inputs = Inputs(strict, pages)
    found = inputs.images_by_root(*paths)
    files: Iterable[Path] = (path for _, path in found)
    copies: dict[Path, Path] = {}
    if save is not None:
        listed = list(found)
        files = [path for _, path in listed]
        copies = {path: stem.with_name(f"{stem.name}.jpg") for path, stem in mirrored(listed, save).items()}
        require_apart(copies.values(), files, overwrite)
    chosen = choose_engine(engine, device=device, photos=options.count_photos(paths))
    detector = create_detector(detection, device, chosen)
    count = failed = 0
    with progress("detecting") as advance:
        for batch in read_batches(files, read=inputs.read):
            faces_of = iter(detector([image.pixels for image in batch if image.pixels is not None]))
            for image in batch:
                faces = next(faces_of) if image.pixels is not None else None
                _show(image, faces, chosen, as_json)
                failed += faces is None
                inputs.see(image.path, image.remarks, faces is not None)
                if image.path in copies and faces is not None:
                    _draw(image, faces, copies[image.path])
            count += len(batch)
            advance(len(batch))
    if count == 0:
        raise inputs.nothing(paths[0])
    inputs.report()
    if as_json and inputs.passed:
        print_json(inputs.passed_over(), indent=None)
    if failed and count > 1:
        note(f"{failed} of {counted(count, 'image')} could not be read")
    if failed == count:
        raise click.exceptions.Exit(2)
    inputs.end()


def _show(image: "ReadImage", faces: "Faces | None", engine: str, as_json: bool) -> None:
    from facepipe.detection.faces import PLAIN

    if as_json:
        print_json(_record(image, faces, engine), indent=None)
    elif faces is None:
        note(f"{image.path}: {image.reason}", style="red")
    else:
        how = f" ({faces.search} search)" if faces.search != PLAIN else ""
        say(f"{image.path}: {counted(len(faces), 'face')}{how}")
        for line in _lines(faces):
            click.echo(line)


def _record(image: "ReadImage", faces: "Faces | None", engine: str) -> dict[str, Any]:
    if faces is None:
        return {"path": str(image.path), "error": image.reason}
    columns = zip(faces.boxes.tolist(), faces.scores.tolist(), faces.landmarks.tolist(), strict=True)
    return {
        "path": str(image.path),
        "engine": engine,
        "search": faces.search,
        "faces": [{"box": box, "score": score, "landmarks": points} for box, score, points in columns],
        "remarks": list(image.remarks),
    }


def _lines(faces: "Faces") -> Iterator[str]:
    for box, score in zip(faces.boxes, faces.scores, strict=True):
        left, top, right, bottom = (f"{value:.1f}" for value in box)
        yield f"  score {score:.4f}  box {left} {top} {right} {bottom}"


def _draw(image: "ReadImage", faces: "Faces", name: Path) -> None:
    from facepipe.images import write_rgb
    from facepipe.report.drawing import draw_faces

    assert image.pixels is not None
    write_rgb(name, draw_faces(image.pixels, faces, range(len(faces))))
