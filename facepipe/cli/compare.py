"""``facepipe compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.choices import deciding_score
from facepipe.cli.door import PICTURES, Output, door
from facepipe.cli.inputs import Inputs, strict_option
from facepipe.cli.screen import note, print_json
from facepipe.cli.verdict import caption, show

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings


@click.command("compare")
@click.argument("image_a", type=click.Path(path_type=Path))
@click.argument("image_b", type=click.Path(path_type=Path))
@options.model
@deciding_score
@click.option("--far", type=options.RATE, default=1e-3, show_default=True, help="False-accept rate of the decision.")
@options.among
@click.option("--threshold", type=options.Number(), help="Decide at this score instead of at a false-accept rate.")
@click.option(
    "--prior",
    type=options.RATE,
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
@strict_option
@options.as_json
@door(Output("save", PICTURES), reads=("image_a", "image_b"))
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
    strict: bool,
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
    from facepipe.api.comparison import Decide
    from facepipe.api.pipeline import Pipeline
    from facepipe.images import read_image, write_rgb
    from facepipe.zoo import DEFAULT

    pipeline = Pipeline(
        model or DEFAULT,
        device=device,
        detection=detection,
        faces=rule,
        flip=flip,
        precision=precision,
        already_aligned=already_aligned,
    )
    inputs = Inputs(strict)
    if strict:
        for path in (image_a, image_b):
            read_image(path, strict=True)
    answer = pipeline.compare(image_a, image_b, Decide(score, far, among, threshold, prior))
    told = answer.to_dict()
    for view in answer.views:
        inputs.see(view.path, view.remarks)
    if save is not None:
        write_rgb(save, answer.picture(caption(told)))
    inputs.tell()
    if as_json:
        print_json(told)
    else:
        show(told)
    if save is not None:
        note(f"picture: {save}")
    if check and not answer.same:
        raise click.exceptions.Exit(1)
    inputs.end()
