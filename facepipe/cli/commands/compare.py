"""Decide whether two photos show the same person, or which of many do."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.api.in_words import caption
from facepipe.cli import options
from facepipe.cli.choices import deciding_score
from facepipe.cli.door import PICTURES, Output, door
from facepipe.cli.inputs import Inputs, strict_option
from facepipe.cli.photo_type import PHOTO
from facepipe.cli.screen import note, print_json
from facepipe.cli.verdict import show, show_many

if TYPE_CHECKING:
    from facepipe.api.comparison import Comparison, Comparisons
    from facepipe.detection import DetectorSettings


@click.command("compare")
@click.argument("photos", nargs=-1, required=True, type=PHOTO, metavar="A B...")
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
    help="Prior probability that both are the same person, for the printed probability.",
)
@click.option(
    "--all-pairs", is_flag=True, help="Compare every photo with every other, not only the first with the rest."
)
@click.option("--check", is_flag=True, help="Exit with 1 if a score is below the threshold.")
@click.option(
    "--save",
    type=options.output_path,
    help="Write a picture: two photos side by side with boxes and landmarks, or a contact sheet of many, best first.",
)
@options.flip
@options.precision
@options.device
@options.engine
@options.one_face
@options.already_aligned
@options.turning_detection
@strict_option
@options.as_json
@door(Output("save", PICTURES), reads=("photos",))
def command(
    photos: tuple[Path, ...],
    model: str | None,
    score: str,
    far: float,
    among: Any,
    threshold: float | None,
    prior: float,
    all_pairs: bool,
    check: bool,
    save: Path | None,
    flip: str | None,
    precision: str,
    device: str,
    engine: str,
    rule: str,
    already_aligned: bool,
    detection: "DetectorSettings",
    strict: bool,
    as_json: bool,
) -> None:
    """Decide whether two photos show the same person, or which of many show the person in the first.

    A photo is a file, a URL (http, https, file), or - for standard input. With three or more, the first is
    compared with each of the others, one line each, best first; photos that are unreadable or show no face are counted
    and reported.

    The answer is a score and a decision at the false-accept rate --far: the share of pairs of different
    people that would pass the threshold. The threshold comes from the model's card, which also says on which
    pairs it was measured: random people or, with --among alike, adults of one sex, origin and age band. The share of
    impostors of either kind that pass the threshold is always reported. If the card has a curve for it, so is the
    probability that both are the same person. If the model has an uncertainty head, the answer also says how confident
    the model is of each face, compared with reference faces, and warns if the confidence is low.

    Below the threshold the two are not shown to be the same person; they are called different people only if the
    probability of one person is at most 10 %.

    Exit code 0 for any successful comparison (with --check, 1 below the threshold; with --strict, 1 if one of many
    photos was left out), 2 if there is no face or a file cannot be read.
    """
    if len(photos) < 2:
        raise click.UsageError("give at least two photos; the first is compared with the others")
    from facepipe.api.comparison import Decide
    from facepipe.api.pipeline import Pipeline
    from facepipe.engines.memory import give_back_memory
    from facepipe.zoo import DEFAULT

    pipeline = Pipeline(
        model or DEFAULT,
        device=device,
        engine=engine,
        detection=detection,
        faces=rule,
        flip=flip,
        precision=precision,
        already_aligned=already_aligned,
    )
    if pipeline.engine == "onnx":
        give_back_memory()
    inputs = Inputs(strict)
    decide = Decide(score, far, among, threshold, prior)
    if len(photos) > 2:
        same = _many(pipeline.compare_many(photos, decide, all_pairs, strict=strict), save, inputs, as_json)
    else:
        same = _two(pipeline.compare(photos[0], photos[1], decide, strict=strict), save, inputs, as_json)
    if check and not same:
        raise click.exceptions.Exit(1)
    inputs.end()


def _two(answer: "Comparison", save: Path | None, inputs: Inputs, as_json: bool) -> bool:
    from facepipe.images import write_rgb

    values = answer.to_dict()
    for view in answer.views:
        inputs.see(view.path, view.remarks)
    if save is not None:
        write_rgb(save, answer.picture(caption(values)))
    inputs.report()
    if as_json:
        print_json(values)
    else:
        show(values)
    if save is not None:
        note(f"picture: {save}")
    return answer.same


def _many(answers: "Comparisons", save: Path | None, inputs: Inputs, as_json: bool) -> bool:
    from facepipe.images import write_rgb

    for answer in answers.comparisons:
        for view in answer.views:
            inputs.see(view.path, view.remarks)
    for path, reason in answers.failed:
        note(f"{path}: {reason}", style="yellow")
        inputs.see(path, readable=False)
    if save is not None:
        write_rgb(save, answers.picture())
    inputs.report()
    if as_json:
        print_json(answers.to_dict())
    else:
        show_many([answer.to_dict() for answer in answers.comparisons], answers.all_pairs)
    if save is not None:
        note(f"picture: {save}")
    if answers.failed:
        note(f"{len(answers.failed)} photo{'s' * (len(answers.failed) > 1)} could not be compared")
    return all(answer.same for answer in answers.comparisons)
