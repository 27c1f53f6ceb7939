"""``facepipe compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.screen import note, out, print_json
from facepipe.errors import ModelError, NoFaceError

if TYPE_CHECKING:
    from facepipe.embed import Embedder
    from facepipe.pipeline import CroppedImage, ReadImage
    from facepipe.zoo import Card


@click.command("compare")
@click.argument("image_a", type=click.Path(path_type=Path))
@click.argument("image_b", type=click.Path(path_type=Path))
@options.model
@click.option(
    "--score",
    type=click.Choice(["cosine", "scf", "mls"]),
    default="cosine",
    show_default=True,
    help="scf (Eq. 13) needs a model with kappa, mls one with sigma2.",
)
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
    score: str,
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

    The answer is a score and a decision at the false-accept rate --far: the share of pairs of different
    people that would pass the threshold. The threshold comes from the model's card, which also says on which
    pairs it was measured. Where the model has an uncertainty head, it is told how sure the model is of each
    face, among the faces it usually sees, and a warning is given where it is not.

    Exit code 0 for any successful comparison (with --check, 1 when different), 2 when there is no face or
    a file cannot be read.
    """
    import numpy as np

    from facepipe.images import read_rgb
    from facepipe.pipeline import ReadImage
    from facepipe.protocols.sureness import sureness
    from facepipe.score import score_pairs

    # Before the model is loaded, so that a wrong path is told at once.
    images = [ReadImage(path, read_rgb(path)) for path in (image_a, image_b)]
    embedder = options.make_embedder(model, flip, precision, device)
    detector = None if already_aligned else options.make_detector(preset, min_face, factor, thresholds, device)
    decision = _decision(embedder, score, far, threshold)
    found = _find(images, embedder, detector, rule)
    embeddings = embedder(_stack(found))
    value = float(score_pairs(score, embeddings, np.array([0]), np.array([1]))[0])
    same = bool(value >= decision["threshold"])
    answer: dict[str, Any] = {"score": value, "kind": score, "same": same, **decision}
    answer["model"] = embedder.model.identity
    answer["images"] = [_account(result) for result in found]
    for account, sure in zip(answer["images"], sureness(embeddings, embedder.model.card), strict=False):
        account |= {sure.name: sure.value, "surer_than": sure.share, "unsure": sure.unsure}
    if save is not None:
        _save(save, images, found, _caption(answer))
    if as_json:
        print_json(answer)
    else:
        _show(answer, found, embedder.model.card)
    if save is not None:
        note(f"picture: {save}")
    if check and not same:
        raise click.exceptions.Exit(1)


def _decision(embedder: "Embedder", score: str, far: float, threshold: float | None) -> dict[str, Any]:
    needed = {"scf": "kappa", "mls": "sigma2"}.get(score)
    head = embedder.model.head
    if needed and (head is None or head.kind != needed):
        raise ModelError(
            f"model {embedder.model.card.name} has no {needed} head, which --score {score} needs; train one with "
            f"'facepipe train {'scf-small' if score == 'scf' else 'probface-small'}', or score by cosine"
        )
    if threshold is not None:
        return {"threshold": threshold, "far": None, "calibrated_on": "given on the command line"}
    entry = embedder.model.card.threshold_at(far, score, embedder.flip)
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
    kind = "" if answer["kind"] == "cosine" else f"{answer['kind']} "
    return f"{verdict}: {kind}score {answer['score']:.3f}, threshold {answer['threshold']:.3f}{at}"


def _show(answer: dict[str, Any], found: list["CroppedImage"], card: "Card") -> None:
    screen = out()
    colour = "green" if answer["same"] else "red"
    screen.print(_caption(answer), style=f"bold {colour}", soft_wrap=True)
    for account in answer["images"]:
        of = f"face {account['used']} of {account['faces']}" if "used" in account else "taken as an aligned crop"
        screen.print(f"  {account['path']}: {of}{_sure(account)}", markup=False, soft_wrap=True)
    for number, account in enumerate(answer["images"], 1):
        if account.get("unsure"):
            warning = f"  face {number} is blurred or turned away: the answer is uncertain"
            screen.print(warning, style="yellow", soft_wrap=True)
    if card.uncertainty is not None and card.uncertainty.quantiles:
        where = card.uncertainty.measured_on
        screen.print(f"  sureness compared with: {where}", markup=False, soft_wrap=True)
    screen.print(f"  threshold measured on: {answer['calibrated_on']}", markup=False, soft_wrap=True)
    screen.print(f"  model: {answer['model']}", markup=False, soft_wrap=True)
    crowded = [str(result.path) for result in found if len(result.faces) > 1]
    if crowded:
        note(f"several faces in {', '.join(crowded)}: choose with --faces, see with --save")


def _sure(account: dict[str, Any]) -> str:
    name = "kappa" if "kappa" in account else "sigma2"
    if name not in account:
        return ""
    share = account["surer_than"]
    return f", {name} {account[name]:.3g}" + (f", surer than {100 * share:.0f} % of faces" if share is not None else "")


def _save(path: Path, images: list["ReadImage"], found: list["CroppedImage"], caption: str) -> None:
    from facepipe.images import write_rgb
    from facepipe.report.drawing import draw_faces, side_by_side

    drawn = [
        draw_faces(image.pixels, result.faces, result.chosen)
        for image, result in zip(images, found, strict=True)
        if image.pixels is not None
    ]
    write_rgb(path, side_by_side(drawn, caption))
