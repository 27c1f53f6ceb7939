"""``facepipe eval ijba``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, source_options, source_path
from facepipe.cli.eval.template_options import template_options
from facepipe.cli.screen import note, print_json

if TYPE_CHECKING:
    from facepipe.evaluation import Source
    from facepipe.protocols.ijb.ijba import IjbaSearchResult, IjbaVerifyResult
    from facepipe.protocols.ijb.template_pooling import TemplateRecipe

_SPLITS = 10


@click.command("ijba")
@source_path
@click.option(
    "--lists",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder with IJB-A_11_sets and IJB-A_1N_sets in it, or one of these.",
)
@click.option(
    "--task", type=click.Choice(["verify", "search"]), default="verify", show_default=True, help="What is measured."
)
@click.option(
    "--rule",
    "tar_rule",
    type=click.Choice(["exact", "rounded"]),
    default="exact",
    show_default=True,
    help="verify: at most FAR·N impostors pass, or k = round(FAR·N) as in PFE's program.",
)
@template_options(weights=False)
@verification.score
@verification.fars
@door(SAVE, reads=("paths", "lists"))
@source_options
@options.as_json
def command(
    source: "Source",
    lists: Path,
    task: str,
    tar_rule: str,
    recipe: "TemplateRecipe",
    score: str,
    fars: tuple[float, ...],
    as_json: bool,
) -> None:
    """Evaluate on IJB-A: verification or search, mean and deviation over its splits.

    PATH is the folder with 'img' and 'frame': a face is looked for around its box, nearest the box's centre, and the
    box itself stands in where none is found. Or a folder of aligned crops SUBJECT/img_8565.jpg (--already-aligned), or
    a file of embeddings under such names.
    """
    from facepipe import evaluation

    result = evaluation.ijba(source, lists, task=task, rule=tar_rule, recipe=recipe, score=score, fars=fars)
    if as_json:
        print_json(result.to_dict())
    else:
        _show(result)


def _show(result: "IjbaVerifyResult | IjbaSearchResult") -> None:
    from facepipe.cli.eval.search_table import show_cmc, show_points
    from facepipe.protocols.ijb.ijba import IjbaSearchResult

    settings, splits = result.settings, len(result.splits)
    title = f"IJB-A, {settings['model']}, score {settings['score']}, pool {settings['pool']}, {splits} splits"
    if isinstance(result, IjbaSearchResult):
        show_cmc(result.cmc, "mated probes")
        show_points(result.tpir, "fpir", "tpir", title)
    else:
        show_points(result.tar, "far", "tar", f"{title}, rule {settings['rule']}")
    if splits < _SPLITS:
        what = f"{splits} of the protocol's {_SPLITS} splits"
        note(f"{what}: not a figure to compare with published ones", style="yellow")
