"""``facepipe eval ytf``."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source import Source, source_options, source_path
from facepipe.cli.eval.verification_table import report_verification
from facepipe.cli.screen import note


@click.command("ytf")
@source_path
@click.option(
    "--splits",
    "splits_file",
    required=True,
    type=click.Path(path_type=Path),
    help="YouTube Faces' splits.txt or meta_and_splits.mat.",
)
@click.option(
    "--pool",
    "pooling",
    type=click.Choice(["mean", "norm", "max", "kappa", "sigma2", "sigma2-min", "sigma2-mean"]),
    default="mean",
    show_default=True,
    help="How the frames of a video become one embedding; kappa and sigma2 weigh them by confidence.",
)
@click.option("--frames", type=click.IntRange(1), help="At most so many frames of a video, at equal distances.")
@verification.verification("insightface")
@source_options
@options.as_json
def command(
    source: Source,
    splits_file: Path,
    pooling: str,
    frames: int | None,
    accuracy_rule: str,
    score: str,
    on_miss: str,
    fars: tuple[float, ...],
    as_json: bool,
) -> None:
    """Evaluate on YouTube Faces: ten-fold verification of pairs of videos.

    PATH is frame_images_DB or aligned_images_DB (NAME/VIDEO/*.jpg), a folder of aligned crops of that form
    (with --already-aligned), or a file of embeddings of the frames. A frame without a detected face is left
    out, unless its video has no other.
    """
    from facepipe.datasets.pairs.ytf import list_frames, read_ytf_pairs
    from facepipe.protocols import FARS
    from facepipe.protocols.verification.ytf import evaluate_ytf

    pairs = read_ytf_pairs(splits_file)
    embeddings = source.listed(lambda folder: list_frames(folder, pairs.names, frames), "YouTube Faces")
    result = evaluate_ytf(embeddings, pairs, pooling, accuracy_rule, on_miss, score, fars or FARS, frames)
    report_verification(result, f"YouTube Faces, pooled by {pooling}", as_json)
    if as_json:
        return
    figures = result.figures
    note(f"{figures['frames']} frames used, {figures['frames_without_face']} without a face left out")
