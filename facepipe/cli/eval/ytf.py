"""``facepipe eval ytf``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.choices import pooling
from facepipe.cli.door import door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, source_options, source_path
from facepipe.cli.eval.verification_table import report_verification
from facepipe.cli.screen import note

if TYPE_CHECKING:
    from facepipe.evaluation import Source


@click.command("ytf")
@source_path
@click.option(
    "--splits",
    required=True,
    type=click.Path(path_type=Path),
    help="YouTube Faces' splits.txt or meta_and_splits.mat.",
)
@pooling
@click.option("--frames", type=click.IntRange(1), help="At most so many frames of a video, at equal distances.")
@verification.verification("insightface")
@door(SAVE, reads=("paths", "splits"))
@source_options
@options.as_json
def command(
    source: "Source",
    splits: Path,
    pool: str,
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
    from facepipe import evaluation

    result = evaluation.ytf(
        source,
        splits,
        pool=pool,
        frames=frames,
        rule=accuracy_rule,
        score=score,
        on_miss=on_miss,
        fars=fars,
    )
    report_verification(result, f"YouTube Faces, pooled by {pool}", as_json)
    if not as_json:
        note(f"{result.frames} frames used, {result.frames_without_face} without a face left out")
