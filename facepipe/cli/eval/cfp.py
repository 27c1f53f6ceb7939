"""``facepipe eval cfp``."""

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


@click.command("cfp")
@source_path
@click.option("--part", type=click.Choice(["FF", "FP"]), default="FP", show_default=True, help="Which pairs.")
@click.option(
    "--protocol", type=click.Path(path_type=Path), help="CFP's folder Protocol [default: in PATH]."
)
@verification.verification("insightface")
@door(SAVE, reads=("paths", "protocol"))
@source_options
@options.as_json
def command(
    source: "Source",
    part: str,
    protocol: Path | None,
    accuracy_rule: str,
    score: str,
    on_miss: str,
    fars: tuple[float, ...],
    as_json: bool,
) -> None:
    """Evaluate on CFP: frontal with frontal (FF) or with profile faces (FP).

    PATH is CFP's folder (with Data and Protocol), a folder of aligned crops (001/frontal/01.jpg) with
    --already-aligned, or a file of embeddings; for the last two name the lists with --protocol.
    """
    from facepipe import evaluation

    result = evaluation.cfp(
        source, protocol, part=part, rule=accuracy_rule, score=score, on_miss=on_miss, fars=fars
    )
    report_verification(result, f"CFP-{part}", as_json)
