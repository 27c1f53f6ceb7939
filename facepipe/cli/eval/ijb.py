"""``facepipe eval ijb``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source import Source, source_options, source_path
from facepipe.cli.eval.template_options import template_options
from facepipe.cli.screen import out, print_json
from facepipe.errors import DatasetError

if TYPE_CHECKING:
    from facepipe.datasets.templates.ijb import IjbFaces, IjbFolder
    from facepipe.embedding import Embeddings
    from facepipe.protocols import Result
    from facepipe.protocols.ijb.template_pooling import TemplateRecipe


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
@source_options
@options.as_json
def command(
    source: Source,
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
    from facepipe.cli.eval.landmark_source import landmark_source
    from facepipe.datasets.samples.digest import files_digest
    from facepipe.datasets.templates.ijb import find_ijb, read_faces
    from facepipe.protocols.ijb.verification import ijb_templates
    from facepipe.protocols.rows import without_extension

    if lists is None and source.has_embeddings:
        raise DatasetError(f"{source.paths[0]}: embeddings hold no lists; name the folder with 'meta' by --lists")
    folder = find_ijb(lists or source.paths[0], subset)
    faces = read_faces(folder)
    if lists is None and not source.already_aligned:
        source = source.below(lambda path: find_ijb(path, subset).images)
    source = replace(source, halves=recipe.halves)
    names = [without_extension(name) for name in faces.names]
    embeddings = _ordered(landmark_source(source, faces).embeddings(names, f"IJB-{subset}"), names)
    used = [folder.pairs] if task == "1:1" else [*folder.galleries, folder.probes]
    data = files_digest([folder.meta("face_tid_mid.txt"), folder.meta("name_5pts_score.txt"), *used])
    settings = {"subset": subset, "flip": embeddings.flip, **recipe.settings(), "data": data}
    numbers, templates = ijb_templates(embeddings, faces, recipe)
    if task == "1:1":
        from facepipe.datasets.templates.ijb import read_template_pairs
        from facepipe.protocols import FARS
        from facepipe.protocols.ijb.verification import evaluate_ijb_verification

        pairs = read_template_pairs(folder.pairs, numbers)
        result = evaluate_ijb_verification(templates, pairs, score, tar_rule, fars or FARS, settings)
    else:
        result = _identify(folder, numbers, templates, reading, score, settings)
    if as_json:
        print_json(result.as_json())
    else:
        _show(result, faces)


def _ordered(embeddings: "Embeddings", names: list[str]) -> "Embeddings":
    """The rows in the order of the list; as they are where they have it, since they may be half a million."""
    import numpy as np

    from facepipe.protocols.rows import find_rows

    rows = find_rows(embeddings, names)
    same = len(rows) == len(embeddings) and (rows == np.arange(len(rows))).all()
    return embeddings if same else embeddings.take(rows)


def _identify(
    folder: "IjbFolder", numbers: Any, templates: "Embeddings", reading: str, score: str, settings: dict[str, Any]
) -> "Result":
    from facepipe.datasets.templates.ijb import read_enrolment
    from facepipe.datasets.templates.template_rows import TemplateRows
    from facepipe.protocols.ijb.identification import Enrolled, evaluate_closed, evaluate_open

    row_of = TemplateRows(numbers)
    listed = {path: read_enrolment(path) for path in (*folder.galleries, folder.probes)}
    *galleries, probes = (
        Enrolled(row_of(some.template, path), some.subject) for path, some in listed.items()
    )
    evaluate = evaluate_open if reading == "open" else evaluate_closed
    return evaluate(templates, galleries, probes, score, settings=settings)


def _show(result: "Result", faces: "IjbFaces") -> None:
    from facepipe.cli.eval.search_table import show_cmc, show_points
    from facepipe.cli.eval.verification_table import percent, show_tar

    figures, settings = result.figures, result.settings
    title = f"IJB-{settings['subset']} 1:{'1' if 'tar' in figures else 'N'}, {settings['model']}"
    title += f", score {settings['score']}, pool {settings['pool']}"
    if "tar" in figures:
        counts = f"{len(faces)} faces, {figures['genuine']} genuine and {figures['impostor']} impostor pairs"
        show_tar(figures["tar"], f"{title}, rule {settings['rule']}, {counts}")
        out().print(f"equal error rate {percent(figures['eer'])}")
        return
    show_cmc(figures["cmc"], f"{settings['reading']} set, {figures['probes']} probes")
    if settings["reading"] == "closed":
        show_points(figures["pooled"], "fpir", "tpir", f"{title}: false matches by probes, rank ignored (ijb_1n.py)")
        return
    for number, gallery in enumerate(figures["galleries"], 1):
        show_points(gallery["tpir"], "fpir", "tpir", f"{title}, gallery {number}: {gallery['subjects']} subjects")
    show_points(figures["tpir"], "fpir", "tpir", f"{title}, mean of the galleries")
