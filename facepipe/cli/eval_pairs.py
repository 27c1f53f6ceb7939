"""``facepipe eval pairs``."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli import verification_options as verification
from facepipe.cli.eval_source import Source, source_options, source_path
from facepipe.cli.screen import print_json
from facepipe.cli.verification_table import show_verification


@click.command("pairs")
@source_path
@click.option(
    "--pairs", "pairs_file", required=True, type=click.Path(path_type=Path), help="The list: see --format."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "lfw", "two-lines"]),
    default="csv",
    show_default=True,
    help="csv: columns a,b,same[,fold]; lfw: LFW's pairs.txt; two-lines: CALFW's and CPLFW's lists.",
)
@verification.accuracy_rule("insightface")
@verification.score
@verification.on_miss
@verification.fars
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
    as_json: bool,
) -> None:
    """Evaluate on any list of pairs.

    PATH is the folder that the names of the list are relative to, a folder of aligned crops of that form (with
    --already-aligned), or a file of embeddings. A list without folds is dealt into ten. Several --model, or
    several PATH, make an ensemble.
    """
    from facepipe.datasets.pairs import read_lfw_pairs
    from facepipe.datasets.pairs_csv import read_pairs_csv
    from facepipe.datasets.two_line_pairs import read_two_line_pairs
    from facepipe.protocols import FARS, evaluate_pairs

    pairs = {"csv": read_pairs_csv, "lfw": read_lfw_pairs, "two-lines": read_two_line_pairs}[form](pairs_file)
    embeddings = source.embeddings(pairs.names, "pairs")
    result = evaluate_pairs(embeddings, pairs, accuracy_rule, on_miss, score, fars or FARS)
    if as_json:
        print_json(result.as_json())
    else:
        show_verification(result, pairs_file.name)
