"""``facepipe eval ijb``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, source_options, source_path
from facepipe.cli.eval.template_options import template_options
from facepipe.cli.screen import print_json, say

if TYPE_CHECKING:
    from facepipe.evaluation import Source
    from facepipe.protocols.ijb.identification import ClosedReadingResult, OpenReadingResult
    from facepipe.protocols.ijb.template_pooling import TemplateRecipe
    from facepipe.protocols.ijb.verification import TemplatesResult


@click.command("ijb")
@source_path
@click.option("--subset", type=click.Choice(["B", "C"]), default="C", show_default=True, help="IJB-B or IJB-C.")
@click.option("--task", type=click.Choice(["1:1", "1:N"]), default="1:1", show_default=True, help="What is measured.")
@click.option(
    "--lists",
    type=click.Path(path_type=Path),
    help="The folder with 'meta' in it, where PATH is a file of embeddings or a folder of crops.",
)
@click.option(
    "--rule",
    "tar_rule",
    type=click.Choice(["exact", "nearest"]),
    default="exact",
    show_default=True,
    help="1:1: k-th highest impostor score, or the nearest FPR as insightface's script prints it.",
)
@click.option(
    "--reading",
    type=click.Choice(["open", "closed"]),
    default="open",
    show_default=True,
    help="1:N: each gallery alone with FPIR, or both together so that every probe has a mate.",
)
@template_options(weights=True)
@verification.score
@verification.fars
@door(SAVE, reads=("paths", "lists"))
@source_options
@options.as_json
def command(
    source: "Source",
    subset: str,
    task: str,
    lists: Path | None,
    tar_rule: str,
    reading: str,
    recipe: "TemplateRecipe",
    score: str,
    fars: tuple[float, ...],
    as_json: bool,
) -> None:
    """Evaluate on IJB-B or IJB-C, 1:1 or 1:N.

    PATH is the dataset's folder (with 'meta' and 'loose_crop', or with IJBB or IJBC in it): faces are aligned by the
    landmarks of its list. Or a folder of aligned crops under the same names (--already-aligned), or a file of
    embeddings. The defaults are the settings under which figures are published; each has a switch.
    """
    from facepipe import evaluation
    from facepipe.protocols.ijb.verification import TemplatesResult

    result = evaluation.ijb(
        source,
        subset=subset,
        task=task,
        lists=lists,
        rule=tar_rule,
        reading=reading,
        recipe=recipe,
        score=score,
        fars=fars,
    )
    if as_json:
        print_json(result.to_dict())
    elif isinstance(result, TemplatesResult):
        _show_pairs(result)
    else:
        _show_search(result)


def _title(settings: dict[str, Any], task: str) -> str:
    return (
        f"IJB-{settings['subset']} {task}, {settings['model']}, score {settings['score']}, pool {settings['pool']}"
    )


def _show_pairs(result: "TemplatesResult") -> None:
    from facepipe.cli.eval.verification_table import percent, show_tar

    counts = f"{result.faces} faces, {result.genuine} genuine and {result.impostor} impostor pairs"
    show_tar(result.tar, f"{_title(result.settings, '1:1')}, rule {result.settings['rule']}, {counts}")
    say(f"equal error rate {percent(result.eer)}")


def _show_search(result: "OpenReadingResult | ClosedReadingResult") -> None:
    from facepipe.cli.eval.search_table import show_cmc, show_points
    from facepipe.protocols.ijb.identification import ClosedReadingResult

    title = _title(result.settings, "1:N")
    show_cmc(result.cmc, f"{result.settings['reading']} set, {result.probes} probes")
    if isinstance(result, ClosedReadingResult):
        show_points(result.pooled, "fpir", "tpir", f"{title}: false matches by probes, rank ignored (ijb_1n.py)")
        return
    for number, gallery in enumerate(result.galleries, 1):
        heading = f"{title}, gallery {number}: {gallery.subjects} subjects"
        show_points(gallery.search.tpir, "fpir", "tpir", heading)
    show_points(result.tpir, "fpir", "tpir", f"{title}, mean of the galleries")
