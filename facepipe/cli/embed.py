"""``facepipe embed``."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options, workers
from facepipe.cli.door import PICTURES, TABLES, Output, door
from facepipe.cli.inputs import Inputs, strict_option
from facepipe.cli.made import is_embeddings
from facepipe.cli.screen import note, print_json, progress
from facepipe.errors import FacepipeError

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings
    from facepipe.ensemble import Members
    from facepipe.pipeline import ReadImage
    from facepipe.workers import OnRay


@click.command("embed")
@options.some_paths
@click.option("-o", "--out", type=options.output_path, help="Parquet file to write; may be left out with --sheet.")
@options.models
@options.flip
@options.figure_precision
@options.device
@options.faces
@options.already_aligned
@click.option(
    "--on-miss",
    type=click.Choice(["drop", "centre"]),
    default="drop",
    show_default=True,
    help="An image without a face: leave it out (it is listed with the reason), or embed its centre.",
)
@click.option("--sheet", type=options.output_path, help="Picture of the faces, from least to most confident.")
@click.option(
    "--sort",
    type=click.Choice(["kappa", "sigma2", "detection_score", "norm"]),
    help="What the sheet goes by [default: kappa or sigma2, whichever the model has].",
)
@options.detection
@workers.on_workers
@strict_option
@options.as_json
@door(Output("out", TABLES, ours=is_embeddings), Output("sheet", PICTURES), reads=("paths",), there=("paths",))
def command(
    paths: tuple[Path, ...],
    out: Path | None,
    models: tuple[str, ...],
    flip: str | None,
    precision: str,
    device: str,
    rule: str,
    already_aligned: bool,
    on_miss: str,
    sheet: Path | None,
    sort: str | None,
    detection: "DetectorSettings",
    on: "OnRay | None",
    strict: bool,
    as_json: bool,
) -> None:
    """Embed images, or all images of folders, into one Parquet file.

    Columns: path, mu (the embedding, float32), detected, error, and detection_score, kappa and sigma2 where
    there are any. The file knows which model made it, and features of two models are never mixed silently;
    several --model make an ensemble, whose embeddings are theirs, each scaled to length 1, side by side.
    Paths are kept as given on the command line.

    --sheet draws the faces from the one the model is least sure of to the surest; it needs a model with an
    uncertainty head (facepipe train scf-small), or --sort detection_score or norm.
    """
    if out is None and sheet is None:
        raise click.UsageError("Missing option '-o' / '--out': where to write, unless there is a --sheet.")
    if sort is not None and sheet is None:
        raise click.UsageError("--sort is the order of a --sheet: name its file.")
    from facepipe.cli.embed_sheet import Sheet
    from facepipe.embedding import EmbeddingsWriter
    from facepipe.ensemble import embed_ensemble, embed_ensemble_on, ensemble_of

    searched = None if already_aligned else detection
    load = partial(_members, models, flip, precision, device, searched, rule, on_miss)
    # On a cluster the device is the workers'; here the models only tell what they are.
    members = load() if on is None else _members(models, flip, precision, "cpu", searched, rule, on_miss)
    embedders = [embedder for _, embedder in members]
    if already_aligned:
        for embedder in embedders:
            for folder in paths:
                options.check_crops(folder, embedder)
    identity, flips, dim = ensemble_of(embedders)
    picture = None if sheet is None else Sheet(sheet, sort, members[0][0])
    inputs = Inputs(strict)
    files = inputs.images(*paths)

    def see(image: "ReadImage") -> None:
        inputs.see(image.path, image.remarks)

    embedded = failed = 0
    with (
        nullcontext() if out is None else EmbeddingsWriter(out, identity, flips, dim, roots=paths) as writer,
        progress("embedding") as advance,
    ):
        if on is None:
            batches = embed_ensemble(files, members, advance, inputs.read, see=see)
        else:
            batches = embed_ensemble_on(on, files, load, device, advance, inputs.read, see=see)
        for batch in batches:
            if writer is not None:
                writer.write(batch)
            if picture is not None:
                picture.add(batch)
            embedded += len(batch)
            failed += len(batch.failed)
            for path, reason in batch.failed:
                note(f"{path}: {reason}", style="yellow")
        inputs.tell()
        if embedded == 0:
            raise FacepipeError(f"{paths[0]}: nothing to embed ({failed} images without a usable face)")
    if picture is not None:
        note(f"{sheet}: {picture.draw()} of {embedded} faces, by {picture.sort}")
    if as_json:
        where = {} if out is None else {"out": str(out)}
        made = {"model": identity, "precision": embedders[0].precision, "findings": [members[0][0].finding]}
        print_json({**where, **made, "embedded": embedded, "failed": failed} | inputs.to_dict())
    else:
        start = "" if out is None else f"{out}: "
        click.echo(f"{start}{embedded} embeddings of {identity}, {failed} images left out")
    inputs.end(failed)


def _members(
    models: tuple[str, ...],
    flip: str | None,
    precision: str,
    device: str,
    detection: "DetectorSettings | None",
    rule: str,
    on_miss: str,
) -> "Members":
    """What embeds, of this process or of a worker; without a detector the images are crops."""
    from facepipe.alignment import Aligner
    from facepipe.detection import create_detector
    from facepipe.ensemble import SameFaces
    from facepipe.pipeline import Cropper

    embedders = [options.make_embedder(model, flip, precision, device) for model in models or [None]]
    detector = None if detection is None else SameFaces(create_detector(detection, device))
    return [
        (Cropper(Aligner(embedder.model.card.input.template), detector, rule, on_miss), embedder)
        for embedder in embedders
    ]
