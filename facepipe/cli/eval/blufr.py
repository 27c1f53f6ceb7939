"""``facepipe eval blufr``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, source_options, source_path
from facepipe.cli.screen import print_json

if TYPE_CHECKING:
    from facepipe.evaluation import Source
    from facepipe.protocols.identification.blufr import BlufrResult


@click.command("blufr")
@source_path
@click.option(
    "--lists", required=True, type=click.Path(path_type=Path), help="The protocol's blufr_lfw_config.mat."
)
@verification.score
@door(SAVE, reads=("paths", "lists"))
@source_options
@options.as_json
def command(source: "Source", lists: Path, score: str, as_json: bool) -> None:
    """Evaluate on LFW under BLUFR: verification at low FAR and open-set identification, ten trials.

    PATH is the folder of all 13,233 images (Name/Name_0001.jpg), a folder of aligned crops of that form (with
    --already-aligned), or a file of embeddings. The figures to compare with are mean − standard deviation of VR at FAR
    0.1 % and of DIR at rank 1 and FAR 1 %.
    """
    from facepipe import evaluation

    result = evaluation.blufr(source, lists, score=score)
    if as_json:
        print_json(result.to_dict())
    else:
        _show(result)


def _show(result: "BlufrResult") -> None:
    from facepipe.cli.eval.search_table import show_cmc, show_points

    title = f"BLUFR, {result.settings['model']}, score {result.settings['score']}, {len(result.trials)} trials"
    show_points(result.tar, "far", "tar", f"{title}: verification (VR)")
    show_points(result.dir, "fpir", "tpir", f"{title}: DIR at rank 1")
    show_cmc(result.cmc, "mated probes")
