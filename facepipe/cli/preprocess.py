"""``facepipe preprocess``."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.screen import note, print_json, progress
from facepipe.errors import DatasetError


@click.command("preprocess")
@click.argument("raw", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@options.template
@options.faces
@click.option(
    "--on-miss",
    type=click.Choice(["drop", "centre"]),
    default="drop",
    show_default=True,
    help="An image without a face: leave it out, as SphereFace does, or crop its centre.",
)
@options.already_aligned
@options.detection
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["jpg", "png", "webp"]),
    default="jpg",
    show_default=True,
    help="Format of the crops.",
)
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of JPEG and WebP.")
@click.option("--shard", metavar="I/N", help="Do the I-th of N parts, for N machines on one file system.")
@click.option("--overwrite", is_flag=True, help="Start over instead of resuming what was begun in OUT.")
@options.device
@options.as_json
def command(
    raw: Path,
    out: Path,
    template: str,
    rule: str,
    on_miss: str,
    already_aligned: bool,
    preset: str,
    min_face: float | None,
    factor: float | None,
    thresholds: tuple[float, ...] | None,
    suffix: str,
    quality: int,
    shard: str | None,
    overwrite: bool,
    device: str,
    as_json: bool,
) -> None:
    """Detect and align every image of a dataset: RAW/identity/image.jpg to OUT/identity/image.jpg.

    Also writes OUT/manifest.parquet, with one row per image (path, size, boxes, landmarks, scores, status,
    reason), and OUT/skipped.csv with the images that gave no crop. Interrupt it whenever you like: the same
    command goes on where it stopped.
    """
    from facepipe.detect import preset as settings_of
    from facepipe.preprocess import Plan, preprocess

    detection = settings_of(preset, min_face=min_face, factor=factor, thresholds=thresholds or None)
    plan = Plan(
        raw, out, template, rule, on_miss, None if already_aligned else detection, f".{suffix}", quality, _shard(shard)
    )
    with progress("preprocessing") as advance:

        def begun(total: int, done: int) -> None:
            advance.total(total)
            if done:
                note(f"resuming: {done} of {total} images were done before")
                advance(done)

        report = preprocess(plan, device, overwrite, begun, advance)
    if as_json:
        skipped = None if report.skipped is None else str(report.skipped)
        print_json(vars(report) | {"manifest": str(report.manifest), "skipped": skipped})
        return
    counts = ", ".join(f"{count} {status}" for status, count in sorted(report.statuses.items()))
    click.echo(f"{report.total} images: {counts}; {report.crops} crops in {out}; manifest: {report.manifest}")
    if report.skipped is not None:
        click.echo(f"left out, with the reasons: {report.skipped}")


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    try:
        part, parts = text.split("/")
        return int(part), int(parts)
    except ValueError as error:
        raise DatasetError(f"--shard {text}: must be I/N, such as 3/8") from error
