"""``facepipe eval lfw``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, source_options, source_path
from facepipe.cli.eval.verification_table import report_verification

if TYPE_CHECKING:
    from facepipe.evaluation import Source


@click.command("lfw")
@source_path
@click.option("--pairs", "pairs", required=True, type=click.Path(path_type=Path), help="LFW's pairs.txt.")
@verification.verification("sphereface")
@verification.damage
@door(SAVE, reads=("paths", "pairs"))
@source_options
@options.as_json
def command(
    source: "Source",
    pairs: Path,
    accuracy_rule: str,
    score: str,
    on_miss: str,
    fars: tuple[float, ...],
    damage: str | None,
    as_json: bool,
) -> None:
    """Evaluate on LFW, view 2.

    PATH is the folder of raw images (name/name_0001.jpg), a folder of aligned crops of that form (with
    --already-aligned; 'facepipe preprocess' writes one), or a file of embeddings from 'facepipe embed' or
    --save. Reports the mean of the folds, its standard error, TAR at FAR, and how many images had no detected
    face. Several --model, or several PATH, make an ensemble.
    """
    from facepipe import evaluation

    result = evaluation.lfw(
        source, pairs, rule=accuracy_rule, score=score, on_miss=on_miss, fars=fars, damage=damage
    )
    report_verification(result, "LFW view 2", as_json)
