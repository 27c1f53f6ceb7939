"""``facepipe eval lfw``."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.damaging_source import embeddings_of_pairs
from facepipe.cli.eval.source import Source, source_options, source_path
from facepipe.cli.eval.verification_table import report_verification


@click.command("lfw")
@source_path
@click.option("--pairs", "pairs_file", required=True, type=click.Path(path_type=Path), help="LFW's pairs.txt.")
@verification.verification("sphereface")
@verification.damage
@source_options
@options.as_json
def command(
    source: Source,
    pairs_file: Path,
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
    from facepipe.datasets.pairs.lfw_pairs import read_lfw_pairs
    from facepipe.protocols import FARS, evaluate_lfw

    pairs = read_lfw_pairs(pairs_file)
    embeddings, pairs = embeddings_of_pairs(source, pairs, "LFW", damage)
    result = evaluate_lfw(embeddings, pairs, accuracy_rule, on_miss, score, fars or FARS)
    report_verification(result, "LFW view 2", as_json, damage)
