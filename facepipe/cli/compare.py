"""``facepipe compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.screen import note, print_json
from facepipe.cli.verdict import USUAL_FAR, caption, decision, judge, show
from facepipe.errors import NoFaceError

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings
    from facepipe.embedding import Embedder
    from facepipe.pipeline import CroppedImage, ReadImage


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
@click.option("--far", type=float, default=USUAL_FAR, show_default=True, help="False-accept rate of the decision.")
@options.among
@click.option("--threshold", type=float, help="Decide at this score instead of at a false-accept rate.")
@click.option(
    "--prior",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="Probability that the two are one person, before anyone looks; the one that is printed starts from it.",
)
@click.option("--check", is_flag=True, help="Exit with 1 when the score is below the threshold.")
@click.option("--save", type=options.output_path, help="Write both photos side by side, with boxes and landmarks.")
@options.flip
@options.precision
@options.device
@options.one_face
@options.already_aligned
@options.turning_detection
@options.as_json
def command(
    image_a: Path,
    image_b: Path,
    model: str | None,
    score: str,
    far: float,
    among: Any,
    threshold: float | None,
    prior: float,
    check: bool,
    save: Path | None,
    flip: str | None,
    precision: str,
    device: str,
    rule: str,
    already_aligned: bool,
    detection: "DetectorSettings",
    as_json: bool,
) -> None:
    """Say whether two photos show the same person.

    The answer is a score and a decision at the false-accept rate --far: the share of pairs of different
    people that would pass the threshold. The threshold comes from the model's card, which also says on which
    pairs it was measured: people at random, or with --among alike adults of one sex, origin and age band. How
    many strangers of either kind the threshold lets through is told in any case. A card that has a curve for it
    also tells the probability that the two are one person. Where the model has an uncertainty head, it is told
    how sure the model is of each face, among the faces it usually sees, and a warning is given where it is not.

    Below the threshold the two are not shown to be the same person; they are called different people only if the
    probability of one person is 10 % or less.

    Exit code 0 for any successful comparison (with --check, 1 below the threshold), 2 when there is no face or
    a file cannot be read.
    """
    from facepipe.detection import create_detector
    from facepipe.images import read_rgb
    from facepipe.pipeline import ReadImage

    # Before the model is loaded, so that a wrong path is told at once.
    images = [ReadImage(path, read_rgb(path)) for path in (image_a, image_b)]
    embedder = options.make_embedder(model, flip, precision, device)
    detector = None if already_aligned else create_detector(detection, device)
    decided = decision(embedder, score, far, threshold, among)
    found = _find(images, embedder, detector, rule)
    answer = judge(found, embedder, score, decided, prior)
    if save is not None:
        _save(save, images, found, caption(answer))
    if as_json:
        print_json(answer)
    else:
        show(answer)
    if save is not None:
        note(f"picture: {save}")
    if check and not answer["same"]:
        raise click.exceptions.Exit(1)


def _find(images: list["ReadImage"], embedder: "Embedder", detector: Any, rule: str) -> list["CroppedImage"]:
    from facepipe.alignment import Aligner
    from facepipe.pipeline import Cropper

    found = Cropper(Aligner(embedder.model.card.input.template), detector, rule, "drop")(images)
    for result in found:
        if not result.crops:
            raise NoFaceError(
                f"{result.path}: {result.reason}; try --min-face 12 for small faces, "
                "or --already-aligned for a face crop"
            )
    return found


def _save(path: Path, images: list["ReadImage"], found: list["CroppedImage"], caption: str) -> None:
    from facepipe.images import write_rgb
    from facepipe.report.drawing import draw_faces, side_by_side

    drawn = [
        draw_faces(image.pixels, result.faces, result.chosen)
        for image, result in zip(images, found, strict=True)
        if image.pixels is not None
    ]
    write_rgb(path, side_by_side(drawn, caption))
