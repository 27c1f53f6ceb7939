"""``facepipe eval blufr``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source import Source, source_options, source_path
from facepipe.cli.screen import print_json

if TYPE_CHECKING:
    from facepipe.protocols import Result


@click.command("blufr")
@source_path
@click.option(
    "--lists", "file", required=True, type=click.Path(path_type=Path), help="The protocol's blufr_lfw_config.mat."
)
@verification.score
@source_options
@options.as_json
def command(source: Source, file: Path, score: str, as_json: bool) -> None:
    """Evaluate on LFW under BLUFR: verification at low FAR and open-set identification, ten trials.

    PATH is the folder of all 13,233 images (Name/Name_0001.jpg), a folder of aligned crops of that form (with
    --already-aligned), or a file of embeddings. The figures to compare with are mean − standard deviation of VR at FAR
    0.1 % and of DIR at rank 1 and FAR 1 %.
    """
    from facepipe.datasets.samples.digest import files_digest
    from facepipe.datasets.templates.blufr import read_blufr
    from facepipe.protocols.identification.blufr import evaluate_blufr

    lists = read_blufr(file)
    embeddings = source.embeddings(lists.names, "LFW")
    result = evaluate_blufr(embeddings, lists, score, settings={"data": files_digest([file])})
    if as_json:
        print_json(result.as_json())
    else:
        _show(result)


def _show(result: "Result") -> None:
    from facepipe.cli.eval.search_table import show_cmc, show_points

    figures, settings = result.figures, result.settings
    title = f"BLUFR, {settings['model']}, score {settings['score']}, {len(figures['trials'])} trials"
    show_points(figures["tar"], "far", "tar", f"{title}: verification (VR)")
    show_points(figures["dir"], "fpir", "tpir", f"{title}: DIR at rank 1")
    show_cmc(figures["cmc"], "mated probes")
