"""Detect and align a whole dataset; can be interrupted and resumed."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from facepipe.cli import again, options, workers
from facepipe.cli.again import note_changes
from facepipe.cli.door import Output, door
from facepipe.cli.inputs import Inputs, pages_option, strict_option
from facepipe.cli.screen import note, print_json, progress
from facepipe.errors import DatasetError
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings
    from facepipe.preprocess import Report
    from facepipe.workers import OnRay


@click.command("preprocess")
@door(Output("out", shared=True), reads=("raw",), walks=("raw",), keeps=("out",))
@click.argument("raw", type=options.stored_path)
@click.argument("out", type=options.stored_output)
@options.crop_template
@options.dataset_faces
@click.option(
    "--on-miss",
    type=click.Choice(["drop", "centre"]),
    default="drop",
    show_default=True,
    help="What to do with an image without a face: leave it out, as in SphereFace, or crop its centre.",
)
@options.already_aligned
@options.detection
@options.crop_format("jpg")
@click.option(
    "--quality", type=click.IntRange(1, 100), help="Quality of JPEG and WebP [default: 95, or that of the --preset]."
)
@options.identity_depth
@click.option(
    "--pack",
    type=click.Choice(["tar", "parquet"]),
    help="Pack the crops into tar shards (WebDataset) or Parquet files; OUT may then be the URL of a store.",
)
@click.option("--pack-size", type=click.IntRange(1), help="Images per pack [default: 4096].")
@click.option("--shard", metavar="I/N", help="Process part I of N, for N machines on one file system.")
@click.option("--merge", is_flag=True, help="Merge the manifests of all shards once they are done.")
@click.option("--overwrite", is_flag=True, help="Start over instead of resuming the job in OUT.")
@click.option("--from-rec", is_flag=True, help="RAW is a .rec file, or the folder of train.rec: unpack its images.")
@again.frozen
@again.verify
@options.device
@workers.on_workers
@strict_option
@pages_option
@options.as_json
def command(
    raw: Path,
    out: Path,
    template: str | None,
    rule: str | None,
    on_miss: str,
    already_aligned: bool,
    detection: "DetectorSettings",
    suffix: str,
    quality: int | None,
    identity_depth: int,
    pack: str | None,
    pack_size: int | None,
    shard: str | None,
    merge: bool,
    overwrite: bool,
    from_rec: bool,
    frozen: bool,
    verify: bool,
    device: str,
    on: "OnRay | None",
    strict: bool,
    pages: str,
    as_json: bool,
) -> None:
    """Detect and align every image of a dataset: RAW/identity/image.jpg to OUT/identity/image.jpg.

    Images may be at any depth in a person's folder. Also writes OUT/manifest.parquet, with one row per image (path,
    size, boxes, landmarks, scores, status, reason), and OUT/skipped.csv with the images without a crop. It can be
    interrupted at any time; the same command resumes it. Run it again after images were added, changed or deleted: new
    and changed ones are processed, and crops and rows of deleted ones are removed.

    RAW may also be a tar shard, a Parquet file of images, or a URL such as s3://bucket/photos (docs/scale.md).
    With --pack the crops go to OUT/crops-000000.tar (or .parquet) and so on, each written atomically; OUT may
    then be a URL too. A packed job cannot take images added later: start it over with --overwrite.

    With --from-rec, RAW is MXNet RecordIO as distributed by insightface: its images are copied to OUT/label/number.jpg
    without detection; OUT/skipped.csv lists records without an image. Only --shard and --json apply then.
    """
    if merge:
        from facepipe.preprocess import merge_shards

        _require_alone(out, "--merge, which merges manifests", ("raw", "out", "merge", "as_json", "strict"))
        _show(merge_shards(out), out, Inputs(strict), as_json)
        return
    if from_rec:
        _unpack(raw, out, shard, as_json)
        return
    if pack_size is not None and pack is None:
        raise click.UsageError("--pack-size needs --pack tar or --pack parquet.")
    from facepipe.preprocess import Plan, preprocess
    from facepipe.preprocess.presets import crop_defaults

    searched = None if already_aligned else detection
    defaults = crop_defaults(searched)
    plan = Plan(
        raw,
        out,
        template or defaults.template,
        rule or defaults.rule or "centre",
        on_miss,
        searched,
        f".{suffix}",
        quality or defaults.quality,
        _shard(shard),
        strict,
        identity_depth,
        pack or "",
        pack_size or 4096,
        pages == "all",
    )
    inputs = Inputs(strict, pages)
    with progress("preprocessing") as advance:

        def begun(total: int, done: int) -> None:
            advance.total(total)
            if done:
                note(f"resuming: {done} of {counted(total, 'image')} already done")
                advance.resumed(done)

        report = preprocess(plan, device, overwrite, begun, advance, frozen, inputs.passed, note_changes, on, verify)
    for path, remarks in report.remarks.items():
        inputs.see(path, remarks)
    report = replace(report, remarks=inputs.remarks)
    inputs.report()
    if report.layout:
        note(f"{raw}: {report.layout}", style="yellow")
    _show(report, out, inputs, as_json)


def _show(report: "Report", out: Path, inputs: Inputs, as_json: bool) -> None:
    if as_json:
        skipped = None if report.skipped is None else str(report.skipped)
        print_json(vars(report) | {"manifest": str(report.manifest), "skipped": skipped})
        _end(report, inputs)
        return
    counts = ", ".join(f"{count} {status}" for status, count in sorted(report.statuses.items()))
    crops = f"{counted(report.crops, 'crop')} of {counted(report.identities, 'person')} in {out}"
    click.echo(f"{counted(report.total, 'image')}: {counts}; {crops}; manifest: {report.manifest}")
    if report.skipped is not None:
        click.echo(f"left out, with reasons: {report.skipped}")
    _end(report, inputs)


def _end(report: "Report", inputs: Inputs) -> None:
    """Exit code 2 if no image could be read; otherwise see `Inputs.end`."""
    if 0 < report.total == report.statuses.get("error", 0):
        raise click.exceptions.Exit(2)
    inputs.end(report.statuses.get("error", 0) + report.statuses.get("no_face", 0))


def _unpack(raw: Path, out: Path, shard: str | None, as_json: bool) -> None:
    from facepipe.preprocess import unpack_records

    _require_alone(raw, "--from-rec, which copies images", ("raw", "out", "from_rec", "shard", "as_json"))
    with progress("unpacking") as advance:
        done = unpack_records(raw, out, _shard(shard), advance.total, advance)
    if as_json:
        listing = None if done.skipped_list is None else str(done.skipped_list)
        print_json(vars(done) | {"skipped_list": listing})
        return
    click.echo(
        f"{counted(done.records, 'record')} of {counted(done.identities, 'identity')} in {out}: "
        f"{done.written} written, {done.kept} already present, {done.skipped} skipped"
    )
    if done.skipped_list is not None:
        click.echo(f"left out, with reasons: {done.skipped_list}")


def _require_alone(path: Path, what: str, known: tuple[str, ...]) -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        chosen = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if chosen and name not in known:
            raise DatasetError(f"{path}: {parameter.opts[0]} does not apply to {what}")


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    try:
        part, parts = text.split("/")
        return int(part), int(parts)
    except ValueError as error:
        raise DatasetError(f"--shard {text}: must be I/N, such as 3/8") from error
