"""Turn photos into embeddings."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import again, options, workers
from facepipe.cli.again import note_changes
from facepipe.cli.door import PICTURES, TABLES, Output, door
from facepipe.cli.inputs import Inputs, pages_option, strict_option
from facepipe.cli.made import is_embeddings
from facepipe.cli.screen import note, print_json, progress
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings
    from facepipe.embedding import Embeddings
    from facepipe.ensemble import Members
    from facepipe.pipeline import Read, ReadImage, See
    from facepipe.workers import OnRay


@click.command("embed")
@options.some_paths
@click.option("-o", "--out", type=options.stored_output, help="Parquet file to write; may be left out with --sheet.")
@options.models
@options.flip
@options.figure_precision
@options.device
@options.engine
@options.warp
@options.faces
@options.already_aligned
@click.option(
    "--on-miss",
    type=click.Choice(["drop", "centre"]),
    default="drop",
    show_default=True,
    help="What to do with an image without a face: leave it out (listed with the reason), or embed its centre.",
)
@click.option("--sheet", type=options.output_path, help="Picture of the faces, from least to most confident.")
@click.option(
    "--sort",
    type=click.Choice(["kappa", "sigma2", "detection_score", "norm"]),
    help="Sort order of the sheet [default: kappa or sigma2, whichever the model has].",
)
@options.detection
@workers.on_workers
@strict_option
@pages_option
@options.as_json
@again.frozen
@again.verify
@door(
    Output("out", TABLES, is_replaceable=is_embeddings),
    Output("sheet", PICTURES),
    reads=("paths",),
    walks=("paths",),
    keeps=("out",),
)
def command(
    paths: tuple[Path, ...],
    out: Path | None,
    models: tuple[str, ...],
    flip: str | None,
    precision: str,
    device: str,
    engine: str,
    warp: str,
    rule: str,
    already_aligned: bool,
    on_miss: str,
    sheet: Path | None,
    sort: str | None,
    detection: "DetectorSettings",
    on: "OnRay | None",
    strict: bool,
    pages: str,
    as_json: bool,
    frozen: bool,
    verify: bool,
    overwrite: bool,
) -> None:
    """Embed images, or all images of folders, into one Parquet file.

    Columns: path, mu (the embedding, float32), detected, error, and detection_score, kappa and sigma2 if there are
    any. The file records which model made it, and different models are never mixed silently; several --model form
    an ensemble, whose embeddings are those of its members, scaled to unit length and concatenated. Paths are kept as
    given on the command line.

    An existing OUT is updated: new and changed images are embedded, the rows of deleted ones are removed,
    and each kind is counted. With another model or other options, or with --overwrite, all images are embedded again.

    --sheet draws the faces sorted by the model's confidence, least confident first; it needs a model with an
    uncertainty head (facepipe train scf-small), or --sort detection_score or norm.
    """
    if out is None and sheet is None:
        raise click.UsageError("Missing option '-o' / '--out': required unless there is a --sheet.")
    if sort is not None and sheet is None:
        raise click.UsageError("--sort applies only to --sheet; give its file.")
    from facepipe.cli.commands.embed.sheet import Sheet
    from facepipe.datasets.samples.cut import found_by
    from facepipe.embed_dataset import EmbeddedFile, NothingToEmbed, embed_dataset
    from facepipe.ensemble import embed_ensemble, embed_ensemble_on, ensemble_of

    searched = None if already_aligned else detection
    named: list[str | None] = [*models] or [None]
    photos = options.count_photos(paths) if on is None else None
    chosen = options.chosen_engine(engine, device, named, photos, precision, warp)
    aligned = found_by(paths) if already_aligned else ()
    how = (chosen, warp, searched, rule, on_miss, aligned)
    load = partial(_members, named, flip, precision, device, *how)
    # On a cluster the device is the workers'; here the models are only loaded for their metadata.
    members = load() if on is None else _members(named, flip, precision, "cpu", *how)
    embedders = [embedder for _, embedder in members]
    if already_aligned:
        for embedder in embedders:
            for folder in paths:
                options.check_crops(folder, embedder)
    identity = ensemble_of(embedders)[0]
    picture = None if sheet is None else Sheet(sheet, sort, members[0][0].on_host())
    inputs = Inputs(strict, pages)
    settings = {
        "faces": rule,
        "on_miss": on_miss,
        "precision": precision,
        "detection": None if already_aligned else detection.to_dict(),
        "strict": strict,
    }

    def each(batch: "Embeddings") -> None:
        if picture is not None:
            picture.add(batch)
        for path, reason in batch.failed:
            note(f"{path}: {reason}", style="yellow")

    def see(image: "ReadImage") -> None:
        inputs.see(image.path, image.remarks)

    file = None if out is None else EmbeddedFile(out, paths, settings, frozen, verify, overwrite, note)
    reuses = frozen and out is not None and out.is_file()
    try:
        with progress("embedding") as advance:

            def embed(files: "Iterable[Path]", read: "Read", see: "See") -> "Iterator[Embeddings]":
                if on is None:
                    return embed_ensemble(files, members, advance, read, see=see)
                return embed_ensemble_on(on, files, load, device, advance, read, see=see)

            made_of = ensemble_of(embedders)
            done = embed_dataset(inputs.images(*paths), embed, made_of, file, strict, advance, see, each)
    except NothingToEmbed as error:
        inputs.report()
        raise NothingToEmbed(f"{paths[0]}: {error}") from error
    inputs.report()
    if reuses:
        note(f"{out}: using the images of the previous run (--frozen)")
    elif done.changes is not None:
        note_changes(done.changes)
    if picture is not None:
        note(f"{sheet}: {picture.draw()} of {counted(done.embedded, 'face')}, by {picture.sort}")
    if as_json:
        where = {} if out is None else {"out": str(out)}
        made: dict[str, Any] = {"model": identity, "engine": chosen, "precision": embedders[0].precision}
        made |= {"findings": list(members[0][0].findings)}
        counts = {"embedded": done.embedded, "failed": done.failed}
        changes = {} if done.changes is None else {"changes": done.changes.counts()}
        print_json({**where, **made, **counts, **changes, **inputs.to_dict()})
    else:
        start = "" if out is None else f"{out}: "
        left_out = f"{counted(done.failed, 'image')} left out"
        click.echo(f"{start}{counted(done.embedded, 'embedding')} of {identity}, {left_out}")
    inputs.end(done.failed)


def _members(
    models: list[str | None],
    flip: str | None,
    precision: str,
    device: str,
    engine: str,
    warp: str,
    detection: "DetectorSettings | None",
    rule: str,
    on_miss: str,
    aligned: tuple[dict[str, Any], ...],
) -> "Members":
    """Croppers and embedders, for this process or a worker; without a detector the images are crops."""
    from facepipe.detection import create_detector
    from facepipe.embedding.aligning import aligner_of
    from facepipe.ensemble import SameFaces
    from facepipe.pipeline import Cropper

    embedders = [options.make_embedder(model, flip, precision, device, engine) for model in models]
    detector = None if detection is None else SameFaces(create_detector(detection, device, engine))
    return [
        (Cropper(aligner_of(embedder, warp, detector), detector, rule, on_miss, aligned), embedder)
        for embedder in embedders
    ]
