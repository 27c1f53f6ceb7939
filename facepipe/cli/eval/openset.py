"""``facepipe eval openset``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, source_options, source_path
from facepipe.cli.screen import note, print_json

if TYPE_CHECKING:
    from facepipe.evaluation import Source
    from facepipe.protocols.identification.openset import OpenSetResult


@click.command("openset")
@source_path
@click.option(
    "--lists",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the published lists (lfw_gallery_index.mat ...), or blufr_lfw_config.mat, from whose images lists "
    "of the same sizes are drawn.",
)
@click.option("--closed", is_flag=True, help="The closed-set variant: every probe has a mate.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of lists that are drawn.")
@verification.score
@door(SAVE, reads=("paths", "lists"))
@source_options
@options.as_json
def command(source: "Source", lists: Path, closed: bool, seed: int, score: str, as_json: bool) -> None:
    """Evaluate open-set identification on LFW: DIR at rank 1 and FAR, ten trials.

    PATH is the folder of all 13,233 images (Name/Name_0001.jpg), a folder of aligned crops of that form (with
    --already-aligned), or a file of embeddings.
    """
    from facepipe import evaluation

    result = evaluation.openset(source, lists, closed=closed, seed=seed, score=score)
    if as_json:
        print_json(result.to_dict())
    else:
        _show(result)


def _show(result: "OpenSetResult") -> None:
    from facepipe.cli.eval.search_table import show_cmc, show_points

    settings = result.settings
    kind = "closed set" if settings["closed"] else "open set"
    title = f"LFW, {kind}, {settings['model']}, score {settings['score']}, {len(result.trials)} trials"
    if not settings["closed"]:
        show_points(result.dir, "fpir", "tpir", f"{title}: DIR at rank 1")
    show_cmc(result.cmc, f"{title}, mated probes")
    if settings["lists"] != "published":
        note(f"lists {settings['lists']}: of the published sizes, but not the published lists", style="yellow")
