"""``facepipe eval ijba``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source import Source, source_options, source_path
from facepipe.cli.eval.template_options import template_options
from facepipe.cli.screen import note, print_json

if TYPE_CHECKING:
    from facepipe.protocols import Result
    from facepipe.protocols.ijb.template_pooling import TemplateRecipe

_FARS, _SPLITS = (1e-1, 1e-2, 1e-3), 10


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
@source_options
@options.as_json
def command(
    source: Source,
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
    from facepipe.cli.eval.boxed_source import boxed_source
    from facepipe.datasets.samples.digest import files_digest
    from facepipe.datasets.templates import ijba as lists_of
    from facepipe.protocols.ijb import ijba

    source = replace(source, halves=recipe.halves)
    found = lists_of.find_splits(lists, lists_of.VERIFY if task == "verify" else lists_of.SEARCH)
    settings = {"data": files_digest(_files(found, task))}
    if task == "verify":
        splits = [lists_of.read_verify_split(number, path) for number, path in found]
        boxed = boxed_source(source, (split.faces for split in splits))
        embeddings = boxed.embeddings(ijba.verify_names(splits), "IJB-A")
        rates = fars or _FARS
        result = ijba.evaluate_ijba_verify(embeddings, splits, recipe, score, tar_rule, rates, settings)
    else:
        searches = [lists_of.read_search_split(number, path) for number, path in found]
        boxed = boxed_source(source, (faces for split in searches for faces in (split.gallery, split.probes)))
        embeddings = boxed.embeddings(ijba.search_names(searches), "IJB-A")
        result = ijba.evaluate_ijba_search(embeddings, searches, recipe, score, settings=settings)
    if as_json:
        print_json(result.as_json())
    else:
        _show(result)


def _files(splits: Sequence[tuple[int, Path]], task: str) -> list[Path]:
    parts = ("verify_metadata", "verify_comparisons") if task == "verify" else ("search_gallery", "search_probe")
    return [path / f"{part}_{number}.csv" for number, path in splits for part in parts]


def _show(result: "Result") -> None:
    from facepipe.cli.eval.search_table import show_cmc, show_points

    figures: dict[str, Any] = result.figures
    settings, splits = result.settings, len(figures["splits"])
    title = f"IJB-A, {settings['model']}, score {settings['score']}, pool {settings['pool']}, {splits} splits"
    if "cmc" in figures:
        show_cmc(figures["cmc"], "mated probes")
        show_points(figures["tpir"], "fpir", "tpir", title)
    else:
        show_points(figures["tar"], "far", "tar", f"{title}, rule {settings['rule']}")
    if splits < _SPLITS:
        what = f"{splits} of the protocol's {_SPLITS} splits"
        note(f"{what}: not a figure to compare with published ones", style="yellow")
