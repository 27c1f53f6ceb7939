"""``facepipe eval pairs``."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.damaging_source import embeddings_of_pairs
from facepipe.cli.eval.source import Source, source_options, source_path
from facepipe.cli.eval.verification_table import report_verification


@click.command("pairs")
@source_path
@verification.pairs_list("csv")
@verification.verification("insightface")
@verification.damage
@source_options
@options.as_json
def command(
    source: Source,
    pairs_file: Path,
    form: str,
    accuracy_rule: str,
    score: str,
    on_miss: str,
    fars: tuple[float, ...],
    damage: str | None,
    as_json: bool,
) -> None:
    """Evaluate on any list of pairs.

    PATH is the folder that the names of the list are relative to, a folder of aligned crops of that form (with
    --already-aligned), or a file of embeddings. A list without folds is dealt into ten. Several --model, or
    several PATH, make an ensemble.
    """
    from facepipe.datasets.pairs.any_pairs import read_pairs
    from facepipe.protocols import FARS, evaluate_pairs

    pairs = read_pairs(pairs_file, form)
    embeddings, pairs = embeddings_of_pairs(source, pairs, "pairs", damage)
    result = evaluate_pairs(embeddings, pairs, accuracy_rule, on_miss, score, fars or FARS)
    report_verification(result, pairs_file.name, as_json, damage)
