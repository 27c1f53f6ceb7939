"""LFW, open-set identification: DIR at rank 1 and FAR.

PATH is the folder of all 13,233 images (Name/Name_0001.jpg). Mean and standard deviation over ten trials.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from facepipe.datasets.samples.digest import files_digest
from facepipe.datasets.templates.blufr import read_blufr
from facepipe.datasets.templates.openset import OpenSetLists, draw_openset, read_openset
from facepipe.evaluation.option import Option
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols.identification.openset import OpenSetResult, evaluate_openset


def openset(
    source: Source | Path | str | Sequence[Path | str],
    lists: Annotated[
        Path | str,
        Option(
            "Folder of the published lists (lfw_gallery_index.mat ...), or blufr_lfw_config.mat, from whose images "
            "lists of the same sizes are drawn."
        ),
    ],
    *,
    closed: Annotated[bool, Option("The closed-set variant: every probe has a mate.")] = False,
    seed: Annotated[int, Option("Seed of the drawn lists.")] = 0,
    score: str = "cosine",
) -> OpenSetResult:
    """DIR at rank 1 and FAR, ten trials.

    Args:
        source: images or embeddings; several paths form an ensemble.
        lists: folder of the published lists, or blufr_lfw_config.mat, from whose images lists of the same sizes are
            drawn.
        closed: whether every probe has a mate.
        seed: of the drawn lists.
        score: see `facepipe.score.score_pairs`.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    where = Path(lists)
    listed = _read(where, closed, seed)
    used = sorted(where.glob("*.mat")) if where.is_dir() else [where]
    embeddings = source_of(source).embeddings(listed.names, "LFW")
    return evaluate_openset(embeddings, listed, score, settings={"data": files_digest(used)})


def _read(where: Path, closed: bool, seed: int) -> OpenSetLists:
    if where.is_dir():
        return read_openset(where, closed)
    images = read_blufr(where)
    return draw_openset(images.names, images.person, closed, seed)
