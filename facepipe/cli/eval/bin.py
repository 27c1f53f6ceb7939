"""``facepipe eval bin``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, crop_options
from facepipe.cli.eval.verification_table import report_verification

if TYPE_CHECKING:
    from facepipe.evaluation import Source


@click.command("bin")
@click.argument("file", metavar="FILE.bin", type=click.Path(path_type=Path))
@click.option(
    "--embeddings",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Saved embeddings of the set instead of a model; several make an ensemble.",
)
@verification.accuracy_rule("insightface")
@verification.score
@verification.fars
@door(SAVE, reads=("file", "paths"))
@crop_options
@options.as_json
def command(
    source: "Source",
    file: Path,
    accuracy_rule: str,
    score: str,
    fars: tuple[float, ...],
    as_json: bool,
) -> None:
    """Evaluate on one of insightface's .bin sets: lfw, cfp_fp, agedb_30, calfw, cplfw, vgg2_fp ...

    The sets hold aligned crops. Image and mirror image are added (--flip sum) as in insightface's
    verification.py, whatever the model's card says, unless --flip is given.
    """
    from facepipe import evaluation

    result = evaluation.bin(file, source, rule=accuracy_rule, score=score, fars=fars)
    report_verification(result, file.name, as_json)
