"""``facepipe compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.screen import note, out, print_json
from facepipe.errors import NoFaceError

if TYPE_CHECKING:
    from facepipe.embed import Embedder
    from facepipe.pipeline import CroppedImage, ReadImage


@click.command("compare")
@click.argument("image_a", type=click.Path(path_type=Path))
@click.argument("image_b", type=click.Path(path_type=Path))
@options.model
@click.option("--far", type=float, default=1e-3, show_default=True, help="False-accept rate of the decision.")
@click.option("--threshold", type=float, help="Decide at this score instead of at a false-accept rate.")
@click.option("--check", is_flag=True, help="Exit with 1 when the faces are judged different.")
@click.option("--save", type=options.output_path, help="Write both photos side by side, with boxes and landmarks.")
@options.flip
@options.precision
@options.device
@click.option(
    "--faces",
    "rule",
    type=click.Choice(["centre", "largest", "best"]),
    default="largest",
    show_default=True,
    help="Which face of several.",
)
@options.already_aligned
@options.detection
@options.as_json
def command(
    image_a: Path,
    image_b: Path,
    model: str | None,
    far: float,
    threshold: float | None,
    check: bool,
    save: Path | None,
    flip: str | None,
    precision: str,
    device: str,
    rule: str,
    already_aligned: bool,
    preset: str,
    min_face: float | None,
    factor: float | None,
    thresholds: tuple[float, ...] | None,
    as_json: bool,
) -> None:
    """Say whether two photos show the same person.

    The answer is a cosine score and a decision at the false-accept rate --far: the share of pairs of
    different people that would pass the threshold. The threshold comes from the model's card, which also
    says on which pairs it was measured.

    Exit code 0 for any successful comparison (with --check, 1 when different), 2 when there is no face or
    a file cannot be read.
    """
    from facepipe.images import read_rgb
    from facepipe.pipeline import ReadImage
    from facepipe.score import cosine

    # Before the model is loaded, so that a wrong path is told at once.
    images = [ReadImage(path, read_rgb(path)) for path in (image_a, image_b)]
    embedder = options.make_embedder(model, flip, precision, device)
    detector = None if already_aligned else options.make_detector(preset, min_face, factor, thresholds, device)
    decision = _decision(embedder, far, threshold)
    found = _find(images, embedder, detector, rule)
    mu = embedder(_stack(found)).mu
    score = float(cosine(mu[:1], mu[1:])[0])
    same = bool(score >= decision["threshold"])
    answer: dict[str, Any] = {"score": score, "same": same, **decision, "model": embedder.model.identity}
    answer["images"] = [_account(result) for result in found]
    if save is not None:
        _save(save, images, found, _caption(answer))
    if as_json:
        print_json(answer)
    else:
        _show(answer, found)
    if save is not None:
        note(f"picture: {save}")
    if check and not same:
        raise click.exceptions.Exit(1)


def _decision(embedder: "Embedder", far: float, threshold: float | None) -> dict[str, Any]:
    if threshold is not None:
        return {"threshold": threshold, "far": None, "calibrated_on": "given on the command line"}
    entry = embedder.model.card.threshold_at(far, flip=embedder.flip)
    return {"threshold": entry.value, "far": entry.far, "calibrated_on": entry.calibrated_on}


def _find(images: list["ReadImage"], embedder: "Embedder", detector: Any, rule: str) -> list["CroppedImage"]:
    from facepipe.align import Aligner
    from facepipe.pipeline import Cropper

    found = Cropper(Aligner(embedder.model.card.input.template), detector, rule, "drop")(images)
    for result in found:
        if not result.crops:
            raise NoFaceError(
                f"{result.path}: {result.reason}; try --min-face 12 for small faces, "
                "or --already-aligned for a face crop"
            )
    return found


def _stack(found: list["CroppedImage"]) -> Any:
    import numpy as np

    return np.stack([result.crops[0] for result in found])


def _account(result: "CroppedImage") -> dict[str, Any]:
    account: dict[str, Any] = {"path": str(result.path), "faces": len(result.faces)}
    if len(result.chosen):
        index = int(result.chosen[0])
        account["box"] = result.faces.boxes[index].tolist()
        account["detection_score"] = float(result.faces.scores[index])
        account["used"] = index + 1
    return account


def _caption(answer: dict[str, Any]) -> str:
    verdict = "same person" if answer["same"] else "different people"
    at = "" if answer["far"] is None else f" at FAR {answer['far']:g}"
    return f"{verdict}: score {answer['score']:.3f}, threshold {answer['threshold']:.3f}{at}"


def _show(answer: dict[str, Any], found: list["CroppedImage"]) -> None:
    screen = out()
    colour = "green" if answer["same"] else "red"
    screen.print(_caption(answer), style=f"bold {colour}", soft_wrap=True)
    for account in answer["images"]:
        of = f"face {account['used']} of {account['faces']}" if "used" in account else "taken as an aligned crop"
        screen.print(f"  {account['path']}: {of}", markup=False, soft_wrap=True)
    screen.print(f"  threshold measured on: {answer['calibrated_on']}", markup=False, soft_wrap=True)
    screen.print(f"  model: {answer['model']}", markup=False, soft_wrap=True)
    crowded = [str(result.path) for result in found if len(result.faces) > 1]
    if crowded:
        note(f"several faces in {', '.join(crowded)}: choose with --faces, see with --save")


def _save(path: Path, images: list["ReadImage"], found: list["CroppedImage"], caption: str) -> None:
    from facepipe.images import write_rgb
    from facepipe.report.drawing import draw_faces, side_by_side

    drawn = [
        draw_faces(image.pixels, result.faces, result.chosen)
        for image, result in zip(images, found, strict=True)
        if image.pixels is not None
    ]
    write_rgb(path, side_by_side(drawn, caption))
