"""Group unknown faces among saved embeddings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.door import Output, door
from facepipe.cli.face_tools import FaceTools, face_tools
from facepipe.cli.screen import note, print_json, progress
from facepipe.errors import EmbeddingsError, ModelError
from facepipe.files import require_apart
from facepipe.shown import shown
from facepipe.tables import counted

if TYPE_CHECKING:
    import numpy as np

    from facepipe.detection import Detector
    from facepipe.embedding import Embeddings

_SHOWN, _PER_ROW = 48, 12
_LONGEST = 4096  # of a path
# False-accept rates: a chain breaks at its weakest link, a mean over many pairs does not.
_RATES = {"average": 1e-3, "dbscan": 1e-4, "hdbscan": 1e-3}


@click.command("cluster")
@click.argument("store", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(["average", "dbscan", "hdbscan"]),
    default="average",
    show_default=True,
    help="average: mean cosine between groups; dbscan: chains of similar faces; hdbscan: dense regions.",
)
@click.option(
    "--threshold",
    type=options.COSINE,
    help="Lowest cosine at which faces count as one person [default: the card's at FAR 1e-3, dbscan 1e-4].",
)
@click.option(
    "--smallest", type=click.IntRange(1), default=2, show_default=True, help="Smallest size of a group."
)
@click.option("--sheets", type=options.output_path, help="Folder for contact sheets of the groups, from the photos.")
@click.option("--root", type=click.Path(path_type=Path), help="Folder that the photos' paths are relative to.")
@options.faces
@face_tools
@options.as_json
@door(Output("sheets"), reads=("store", "root"))
def command(
    store: Path,
    method: str,
    threshold: float | None,
    smallest: int,
    sheets: Path | None,
    root: Path | None,
    rule: str,
    tools: FaceTools,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Group the faces in STORE, a file of 'facepipe embed', by person.

    One line per face: its group, largest first, and its path; faces in no group have group -1 and come last. With
    --json, JSON Lines: {"path", "group"}. --sheets reads the photos again, so they must still exist.
    """
    import numpy as np

    from facepipe.embedding import load_embeddings
    from facepipe.score.cluster import cluster

    if root is not None and not root.is_dir():
        raise EmbeddingsError(f"{root}: not a folder; give the one that the photos' paths are relative to")
    embeddings = load_embeddings(store)
    if not len(embeddings):
        raise EmbeddingsError(f"{store}: this file contains no faces")
    same = threshold if threshold is not None else _same(store, embeddings, method)
    groups = cluster(embeddings.mu, method, same, smallest)
    for row in np.argsort(np.where(groups < 0, len(groups), groups), kind="stable"):
        record = {"path": embeddings.paths[row], "group": int(groups[row])}
        if as_json:
            print_json(record, indent=None)
        else:
            click.echo(f"{record['group']}\t{shown(record['path'], _LONGEST)}")
    count = int(groups.max()) + 1
    in_none = counted(int((groups < 0).sum()), "face")
    note(f"{counted(len(groups), 'face')}: {counted(count, 'group')} by {method}, {in_none} in none")
    if sheets is not None:
        photos = {Path(root or "", _place(path)[0]) for path in embeddings.paths}
        require_apart((_sheet(sheets, group) for group in range(count)), photos, overwrite)
        _sheets(embeddings, groups, sheets, root, rule, tools)


def _same(path: Path, embeddings: "Embeddings", method: str) -> float:
    """The threshold of the file's model at the method's rate."""
    from facepipe.embedding.identity import remedy, same_model
    from facepipe.identification import decide
    from facepipe.zoo import find_card

    try:
        card = find_card(embeddings.model.split("@")[0])
        if not same_model(embeddings.model, card.identity):
            message = f"{path}: made by {embeddings.model}, but thresholds are known only for {card.identity}"
            raise EmbeddingsError(f"{message}; {remedy(embeddings.model, card.identity)}, or give --threshold")
        return decide(card, _RATES[method], 1, flip=embeddings.flip).threshold
    except ModelError as error:
        raise EmbeddingsError(
            f"{path}: made by {embeddings.model}, for which no threshold is known; give --threshold"
        ) from error


def _sheet(folder: Path, group: int) -> Path:
    return folder / f"group-{group:04d}.jpg"


def _sheets(
    embeddings: "Embeddings", groups: "np.ndarray", folder: Path, root: Path | None, rule: str, tools: FaceTools
) -> None:
    import numpy as np

    from facepipe.images import write_rgb
    from facepipe.report.face_sheet import draw_sheet, in_rows

    missing, detector = 0, tools.detector(options.chosen_engine(tools.engine, tools.device, []))
    # There are second faces only if all were embedded, best first.
    rule = "all" if any(_place(path)[1] for path in embeddings.paths) else rule
    with progress("contact sheets", int(groups.max()) + 1) as advance:
        for group in range(int(groups.max()) + 1):
            members = _typical(embeddings.mu[groups == group], np.flatnonzero(groups == group))
            crops = _crops([embeddings.paths[row] for row in members[:_SHOWN]], root, rule, detector)
            missing += min(len(members), _SHOWN) - len(crops)
            title = f"group {group}: {counted(len(members), 'face')}"
            strips = in_rows(title, [crop for _, crop in crops], [name for name, _ in crops], _PER_ROW)
            if strips:
                write_rgb(_sheet(folder, group), draw_sheet(strips))
            advance(1)
    lost = f"; {counted(missing, 'photo')} not found or without a face" if missing else ""
    note(f"contact sheets: {folder}{lost}")


def _typical(mu: "np.ndarray", rows: "np.ndarray") -> "np.ndarray":
    """The rows, nearest to the group's mean first."""
    import numpy as np

    from facepipe.score import unit

    vectors = unit(mu)
    return rows[np.argsort(-(vectors @ vectors.mean(0)), kind="stable")]


def _crops(paths: list[str], root: Path | None, rule: str, detector: "Detector") -> list[tuple[str, Any]]:
    """(file name, crop) of the faces that can still be found; ``path#n`` is the n-th additional face of a photo."""
    from facepipe.alignment import Aligner
    from facepipe.pipeline import Cropper, read_batches

    places = [_place(path) for path in paths]
    files = [Path(root or "", name) for name, _ in places]
    cropper = Cropper(Aligner("112x112"), detector, rule)
    found, number = [], 0
    for batch in read_batches(files):
        for result in cropper(batch):
            name, place = places[number]
            if place < len(result.crops):
                found.append((Path(name).stem[:16], result.crops[place]))
            number += 1
    return found


def _place(path: str) -> tuple[str, int]:
    """The photo, and the number of the face in it."""
    name, hash_, number = path.rpartition("#")
    return (name, int(number)) if hash_ and number.isdecimal() else (path, 0)
