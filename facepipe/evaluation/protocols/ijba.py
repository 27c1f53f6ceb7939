"""IJB-A: verification and search over ten splits.

PATH is the folder with 'img' and 'frame': a face is detected around its box, the one nearest the box's centre; if none
is found, the box itself is cropped. Aligned crops are named SUBJECT/img_8565.jpg. Reports mean and standard deviation
over the splits.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from facepipe.datasets.samples.digest import files_digest
from facepipe.datasets.templates import ijba as lists_of
from facepipe.evaluation.annotated_source import boxed_source
from facepipe.evaluation.option import Option, checked
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols.ijb import ijba as protocol
from facepipe.protocols.ijb.template_pooling import TemplateRecipe

_PARTS = {
    lists_of.VERIFY: ("verify_metadata", "verify_comparisons"),
    lists_of.SEARCH: ("search_gallery", "search_probe"),
}


@checked
def ijba(
    source: Source | Path | str | Sequence[Path | str],
    lists: Annotated[
        Path | str, Option("The folder that contains IJB-A_11_sets and IJB-A_1N_sets, or one of these.")
    ],
    *,
    task: Annotated[str, Option("Verification or search.", choices=("verify", "search"))] = "verify",
    rule: Annotated[
        str,
        Option(
            "verify: at most FAR·N impostors pass, or k = round(FAR·N) as in PFE's code.",
            choices=("exact", "rounded"),
        ),
    ] = "exact",
    recipe: TemplateRecipe = protocol.IJBA_RECIPE,
    score: str = "cosine",
    fars: Sequence[float] = (),
) -> protocol.IjbaVerifyResult | protocol.IjbaSearchResult:
    """Verification or search on IJB-A: mean and standard deviation over its splits.

    In images a face is detected around its box, the one nearest the box's centre; if none is found, the box itself is
    cropped.

    Args:
        source: images or embeddings; several paths form an ensemble.
        lists: the folder that contains IJB-A_11_sets and IJB-A_1N_sets, or one of these.
        task: ``verify`` or ``search``.
        rule: for ``verify``, see `facepipe.protocols.ijb.ijba.IJBA_RULES`.
        recipe: how faces become templates.
        score: see `facepipe.score.score_pairs`.
        fars: for ``verify``; empty means 1e-1 … 1e-3.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    images = replace(source_of(source), halves=recipe.halves)
    kind = lists_of.VERIFY if task == "verify" else lists_of.SEARCH
    found = lists_of.find_splits(Path(lists), kind)
    files = [path / f"{part}_{number}.csv" for number, path in found for part in _PARTS[kind]]
    settings = {"data": files_digest(files)}
    if task == "verify":
        splits = [lists_of.read_verify_split(number, path) for number, path in found]
        boxed = boxed_source(images, (split.faces for split in splits))
        embeddings = boxed.embeddings(protocol.verify_names(splits), "IJB-A")
        rates = fars or protocol.IJBA_FARS
        return protocol.evaluate_ijba_verify(embeddings, splits, recipe, score, rule, rates, settings)
    searches = [lists_of.read_search_split(number, path) for number, path in found]
    faces = (faces for split in searches for faces in (split.gallery, split.probes))
    embeddings = boxed_source(images, faces).embeddings(protocol.search_names(searches), "IJB-A")
    return protocol.evaluate_ijba_search(embeddings, searches, recipe, score, settings=settings)
