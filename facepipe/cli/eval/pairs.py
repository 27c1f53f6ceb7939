"""``facepipe eval pairs``."""

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


@click.command("pairs")
@source_path
@verification.pairs_list
@verification.verification("insightface")
@verification.damage
@door(SAVE, reads=("paths", "pairs"))
@source_options
@options.as_json
def command(
    source: "Source",
    pairs: Path,
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
    from facepipe import evaluation

    result = evaluation.pairs(
        source, pairs, form=form, rule=accuracy_rule, score=score, on_miss=on_miss, fars=fars, damage=damage
    )
    report_verification(result, pairs.name, as_json)
