"""IJB-B and IJB-C: 1:1 and 1:N.

PATH is the dataset's folder (with 'meta' and 'loose_crop', or containing IJBB or IJBC): faces are aligned by the
landmarks of its list. The defaults are the usual settings of published figures; each can be changed.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from facepipe.datasets.lines import without_extension
from facepipe.datasets.samples.digest import files_digest
from facepipe.datasets.templates.ijb import IjbFolder, find_ijb, read_enrolment, read_faces, read_template_pairs
from facepipe.datasets.templates.template_rows import TemplateRows
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError
from facepipe.evaluation.annotated_source import landmark_source
from facepipe.evaluation.option import Option, checked
from facepipe.evaluation.source import Source, source_of
from facepipe.protocols import FARS
from facepipe.protocols.ijb.identification import (
    ClosedReadingResult,
    Enrolled,
    OpenReadingResult,
    evaluate_closed,
    evaluate_open,
)
from facepipe.protocols.ijb.template_pooling import TemplateRecipe
from facepipe.protocols.ijb.verification import TemplatesResult, evaluate_ijb_verification, ijb_templates
from facepipe.protocols.rows import find_rows


@checked
def ijb(
    source: Source | Path | str | Sequence[Path | str],
    *,
    subset: Annotated[str, Option("IJB-B or IJB-C.", choices=("B", "C"))] = "C",
    task: Annotated[str, Option("Verification (1:1) or identification (1:N).", choices=("1:1", "1:N"))] = "1:1",
    lists: Annotated[
        Path | str | None,
        Option("The folder with 'meta' in it, if PATH is a file of embeddings or a folder of crops."),
    ] = None,
    rule: Annotated[
        str,
        Option(
            "1:1: k-th highest impostor score, or the nearest FPR as in insightface's script.",
            choices=("exact", "nearest"),
        ),
    ] = "exact",
    reading: Annotated[
        str,
        Option(
            "1:N: each gallery separately with FPIR, or both joined so that every probe has a mate.",
            choices=("open", "closed"),
        ),
    ] = "open",
    recipe: TemplateRecipe | None = None,
    score: str = "cosine",
    fars: Sequence[float] = (),
) -> TemplatesResult | OpenReadingResult | ClosedReadingResult:
    """Verification or identification by templates. Faces in images are aligned by the listed landmarks.

    Args:
        source: the dataset's folder, a folder of its aligned crops, or a file of embeddings.
        subset: ``B`` or ``C``.
        task: ``1:1`` or ``1:N``.
        lists: the folder with ``meta`` in it, if the source is embeddings or crops.
        rule: for 1:1, see `facepipe.protocols.ijb.verification.IJB_RULES`.
        reading: for 1:N, ``open`` or ``closed``, see `facepipe.protocols.ijb.identification`.
        recipe: how faces become templates; None: the usual settings of published figures.
        score: see `facepipe.score.score_pairs`.
        fars: for 1:1; empty means 1e-1 … 1e-6.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    images, recipe = source_of(source), recipe or TemplateRecipe()
    if lists is None and images.has_embeddings:
        raise DatasetError(f"{images.paths[0]}: embeddings contain no lists; pass the folder with 'meta' as lists")
    folder = find_ijb(images.paths[0] if lists is None else Path(lists), subset)
    faces = read_faces(folder)
    if lists is None and not images.already_aligned:
        images = images.below(lambda path: find_ijb(path, subset).images)
    images = replace(images, halves=recipe.halves)
    names = [without_extension(name) for name in faces.names]
    embeddings = _ordered(landmark_source(images, faces).embeddings(names, f"IJB-{subset}"), names)
    used = [folder.pairs] if task == "1:1" else [*folder.galleries, folder.probes]
    data = files_digest([folder.meta("face_tid_mid.txt"), folder.meta("name_5pts_score.txt"), *used])
    settings = {"subset": subset, "flip": embeddings.flip, **recipe.settings(), "data": data}
    numbers, templates = ijb_templates(embeddings, faces, recipe)
    if task != "1:1":
        return _identify(folder, numbers, templates, reading, score, settings)
    pairs = read_template_pairs(folder.pairs, numbers)
    result = evaluate_ijb_verification(templates, pairs, score, rule, fars or FARS, settings)
    return replace(result, faces=len(faces))


def _ordered(embeddings: Embeddings, names: list[str]) -> Embeddings:
    """The rows in the list's order; not copied if already in order, as there may be half a million."""
    rows = find_rows(embeddings, names)
    same = len(rows) == len(embeddings) and (rows == np.arange(len(rows))).all()
    return embeddings if same else embeddings.take(rows)


def _identify(
    folder: IjbFolder, numbers: np.ndarray, templates: Embeddings, reading: str, score: str, settings: dict[str, Any]
) -> OpenReadingResult | ClosedReadingResult:
    row_of = TemplateRows(numbers)
    listed = {path: read_enrolment(path) for path in (*folder.galleries, folder.probes)}
    *galleries, probes = (Enrolled(row_of(some.template, path), some.subject) for path, some in listed.items())
    if reading == "open":
        return evaluate_open(templates, galleries, probes, score, settings=settings)
    return evaluate_closed(templates, galleries, probes, score, settings=settings)
