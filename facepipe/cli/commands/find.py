"""Find the photos in a folder that show the person of a photo."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import again, options
from facepipe.cli.decision_words import explained
from facepipe.cli.door import door
from facepipe.cli.face_tools import FaceTools, turning_face_tools
from facepipe.cli.inputs import Inputs, strict_option
from facepipe.cli.photo_type import PHOTO
from facepipe.cli.query import embed_query, read_query
from facepipe.cli.screen import note, print_json, progress, say
from facepipe.cli.table import show_table
from facepipe.errors import FacepipeError
from facepipe.tables import Column, counted

if TYPE_CHECKING:
    from facepipe.embedding import Embedder, Embeddings
    from facepipe.identification.folder_faces import FolderFaces
    from facepipe.identification.hits import Judge


@click.command("find")
@click.argument("photo", type=PHOTO)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="Number of faces to show.")
@options.matches("not in the folder that may return a match")
@click.option("--forget", is_flag=True, help="Delete the cached faces of FOLDER afterwards.")
@again.verify
@options.faces
@turning_face_tools
@strict_option
@options.as_json
@door(reads=("photo", "folder"), walks=("folder",), keeps=("cache",))
def command(
    photo: Path,
    folder: Path,
    top: int,
    fpir: float,
    among: Any,
    threshold: float | None,
    forget: bool,
    verify: bool,
    rule: str,
    tools: FaceTools,
    strict: bool,
    as_json: bool,
) -> None:
    """Find the faces in FOLDER that resemble the person in PHOTO, best first, and mark the matches.

    PHOTO is a file, a URL (http, https, file), or - for standard input. All faces of all photos below FOLDER are
    embedded once and kept in facepipe's cache, in a file that only you can read; next time, only new and changed
    photos are embedded, and deleted ones are dropped. After Ctrl-C the same command resumes.

    The threshold of a match holds for the whole folder: with --fpir 0.01, one search in a hundred for somebody who is
    absent returns a match. "possible" means that two photos alone would count as the same person at this score, but
    not among so many faces.

    With --json, one value: {"query", "folder", "photos", "faces", "kept", "changes", "judge", "model", "searches":
    [{"query", "hits": [{"path", "face", "score", "verdict", "is_query"}]}], "failed", "remarks", "passed_over",
    "engine", "precision", "findings"}; "face" is 1 for the face of a photo with the best detection score.
    """
    from facepipe.identification.folder_faces import forget as remove
    from facepipe.identification.hits import judge_of

    if not folder.is_dir():
        raise FacepipeError(f"{folder}: not a folder; compare single photos with 'facepipe compare'")
    inputs = Inputs(strict)
    image = read_query(photo, inputs)
    photos = list(inputs.images(folder))
    if not photos:
        raise inputs.nothing(folder)
    embedder = tools.embedder(len(photos) + 1)
    cropper = tools.cropper(embedder, rule)
    query, _ = embed_query(image, cropper, embedder)
    stored = _stored(folder, photos, tools, embedder, inputs, verify)
    judge = judge_of(embedder.model.card, len(stored.faces), fpir, embedder.flip, among, threshold)
    searches = _search(photo, query, stored, folder, top, judge, tools.device)
    if as_json:
        print_json(_account(photo, folder, stored, judge, searches, inputs) | query.record())
    else:
        for search in searches:
            _show(search)
        _report(folder, stored, judge, searches)
    inputs.report()
    if forget:
        note(f"{counted(remove(folder), 'file')} with faces of {folder} removed from the cache")
    inputs.end(len(stored.faces.failed))


def _stored(
    folder: Path, photos: list[Path], tools: FaceTools, embedder: "Embedder", inputs: Inputs, verify: bool
) -> "FolderFaces":
    from facepipe.identification.folder_faces import folder_faces

    with progress("embedding") as advance:

        def begun(total: int, done: int) -> None:
            advance.total(total)
            if done:
                advance(done)

        return folder_faces(
            folder,
            photos,
            tools.cropper(embedder, "all"),
            embedder,
            begun,
            advance,
            lambda image: inputs.see(image.path, image.remarks, image.pixels is not None),
            inputs.strict,
            verify,
        )


def _search(
    photo: Path,
    query: "Embeddings",
    stored: "FolderFaces",
    folder: Path,
    top: int,
    judge: "Judge",
    device: str,
) -> list[dict[str, Any]]:
    from facepipe.identification.found import nearest_faces

    found = nearest_faces(query, stored, folder, judge, top, device)
    return [
        {"query": path, "hits": [hit.to_dict() | {"is_query": _is_same(photo, hit.path)} for hit in hits]}
        for path, hits in zip(query.paths, found, strict=True)
    ]


def _account(
    photo: Path,
    folder: Path,
    stored: "FolderFaces",
    judge: "Judge",
    searches: list[dict[str, Any]],
    inputs: Inputs,
) -> dict[str, Any]:
    changes = stored.changes
    return {
        "query": str(photo),
        "folder": str(folder),
        "photos": stored.photos,
        "faces": len(stored.faces),
        "kept": str(stored.place),
        "changes": {name: len(getattr(changes, name)) for name in ("new", "changed", "vanished", "touched")},
        "judge": judge.to_dict(),
        "model": stored.faces.model,
        "searches": searches,
        "failed": [{"path": str(folder / name), "error": reason} for name, reason in stored.faces.failed],
        **inputs.to_dict(),
    }


def _show(search: dict[str, Any]) -> None:
    columns = (
        Column("", right=True),
        Column("score", right=True),
        Column("verdict"),
        Column("face", right=True, lesser=1),
        Column("photo"),
    )
    rows = [
        (place, f"{hit['score']:.3f}", _verdict(hit), hit["face"], hit["path"])
        for place, hit in enumerate(search["hits"], 1)
    ]
    show_table(columns, rows, search["query"])


def _verdict(hit: dict[str, Any]) -> str:
    return "this photo" if hit["is_query"] else hit["verdict"] or "–"


def _is_same(photo: Path, other: Path) -> bool:
    """Whether a hit is the query photo itself, which may be in the folder."""
    try:
        return photo.samefile(other)
    except OSError:
        return False


def _report(folder: Path, stored: "FolderFaces", judge: "Judge", searches: list[dict[str, Any]]) -> None:
    count = len(stored.faces)
    verdicts = [hit["verdict"] for search in searches for hit in search["hits"] if not hit["is_query"]]
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in ("match", "possible") if verdicts.count(word))
    searched = f"{counted(count, 'face')} of {counted(stored.photos, 'photo')} searched"
    say(f"{folder}: {searched}; shown: {counts or 'no match'}")
    if judge.decision is None:
        note(f"no verdicts: {judge.reason}", style="yellow")
    else:
        note(explained(judge.decision, count, "a match", "face"))
    missing = stored.faces.failed
    if missing:
        note(f"{counted(len(missing), 'photo')} without a face, such as {folder / missing[0][0]}: {missing[0][1]}")
    message = stored.changes.line()
    note(f"cached in {stored.place}" + (f": {message}" if message else ", no changes"))
