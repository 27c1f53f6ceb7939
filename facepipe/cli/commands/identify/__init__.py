"""Identify the people of a gallery in photos, videos and streams."""

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.choices import deciding_score
from facepipe.cli.decision_words import explained
from facepipe.cli.door import FILMS, PICTURES, Output, door
from facepipe.cli.face_tools import FaceTools, note_mixed, turning_face_tools
from facepipe.cli.inputs import Inputs, pages_option, strict_option
from facepipe.cli.made import is_store, is_summary
from facepipe.cli.photo_type import MEDIA, PHOTO
from facepipe.cli.screen import note
from facepipe.errors import DatasetError
from facepipe.files import require_apart

if TYPE_CHECKING:
    from facepipe.detection import Detector
    from facepipe.embedding import Embedder
    from facepipe.identification import Decision, Gallery, Identifier


def _gallery_last(command: Callable[..., Any]) -> Callable[..., Any]:
    """Accept the gallery as first argument, its former place, recognised by content."""

    @wraps(command)
    def ordered(media: tuple[str, ...], gallery: str, **words: Any) -> Any:
        if is_store(Path(media[0])) and not is_store(Path(gallery)):
            note(f"{media[0]}: the gallery goes last: facepipe identify MEDIA... GALLERY", style="yellow")
            media, gallery = (*media[1:], gallery), media[0]
        return command(media=media, gallery=Path(gallery), **words)

    return ordered


@click.command("identify")
@click.argument("media", nargs=-1, required=True, type=MEDIA)
@click.argument("gallery", type=click.Path())  # text, since a URL may be given, which is not a path
@options.fpir(
    "Share of strangers' faces that may be named, over the whole gallery; without --strangers it holds for strangers "
    "like those on whom the model's card was measured.",
    options.Number(),
)
@options.among
@click.option(
    "--strangers",
    type=click.Path(path_type=Path),
    help="Faces of people not in the gallery, from 'facepipe embed', on which the threshold is measured.",
)
@click.option(
    "--threshold", type=options.Number(), help="Name faces from this score, instead of deciding by --fpir."
)
@click.option(
    "--pooling",
    type=click.Choice(["confidence", "mean"]),
    default="confidence",
    show_default=True,
    help="How the embeddings of a person's images are combined.",
)
@deciding_score
@click.option("--save", type=options.output_path, help="Annotated copy: a file, or a folder for several media.")
@click.option(
    "--summary", type=options.output_path, help="Write who was seen, when and for how long, as JSON to this file."
)
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Search every N-th frame.")
@click.option("--seconds", type=options.Number(0, min_open=True), help="Stop a video after this many seconds.")
@click.option("--sound/--no-sound", default=True, help="Keep the sound of a video if ffmpeg is installed.")
@options.identity_depth
@turning_face_tools
@strict_option
@pages_option
@options.as_json
@_gallery_last
@door(
    Output("save", files=(*PICTURES, *FILMS)),
    Output("summary", (".json",), is_replaceable=is_summary),
    reads=("gallery", "media", "strangers"),
    walks=("media",),
)
def command(
    media: tuple[str, ...],
    gallery: Path,
    fpir: float,
    among: Any,
    strangers: Path | None,
    threshold: float | None,
    pooling: str,
    score: str,
    save: Path | None,
    summary: Path | None,
    every: int,
    seconds: float | None,
    sound: bool,
    identity_depth: int,
    tools: FaceTools,
    strict: bool,
    pages: str,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Identify the people of a gallery in photos, folders, videos, streams or camera images.

    MEDIA is a photo, a folder of photos, a video file, a URL (rtsp, http), the number of a camera, or - for a photo on
    standard input. Every face gets the name of the most similar person in GALLERY, a file of 'facepipe gallery build',
    if the score reaches the threshold; otherwise it is unknown. The people in a photo are listed from left to right.
    The threshold is for a false-positive rate over the whole gallery, so it rises with the gallery's size. In a video
    a name is decided per track of faces, not per frame, and --border and --turns do not apply. Ctrl-C ends a
    video early and leaves a playable copy.

    With --json, JSON Lines: one object per face with source, frame, time, track, box, landmarks, detection_score,
    search (see 'facepipe detect'), name, score, nearest, runner_up, runner_up_score, confidence, confidence_kind,
    model, engine, precision and findings (the settings of the detector). Nothing leaves this machine.
    """
    from facepipe.cli.commands.identify.photos import copies_of, show_photos
    from facepipe.cli.commands.identify.video import VideoJob, copy_of_video, show_video
    from facepipe.engines import FEW_PHOTOS
    from facepipe.identification import load_gallery
    from facepipe.identification.video import VideoError

    if strangers is not None and threshold is not None:
        raise DatasetError(f"{strangers}: --strangers measures a threshold and --threshold sets one; use only one")
    photos, videos = _sorted(media)
    several = len(photos) + len(videos) > 1 or any(path.is_dir() for path in photos)
    if several and save is not None and save.suffix:
        raise DatasetError(f"{save}: for several media --save must be a folder")
    inputs = Inputs(strict, pages)
    found = {path: root for root, path in inputs.images_by_root(*photos)} if photos else {}
    copies = {} if save is None else copies_of(found, save)
    if save is not None:
        films = [copy_of_video(source, save, several) for source in videos]
        _check_formats(copies.values(), films)
        read = [gallery, *found, *map(Path, videos), *([] if strangers is None else [strangers])]
        require_apart([*copies.values(), *films], read, overwrite)
    known = load_gallery(gallery, identity_depth, lambda line: note(f"{gallery}: {line}", style="yellow"))
    # A video has as many images as a dataset.
    count = None if videos or len(found) > FEW_PHOTOS else len(found)
    made = known.images
    embedder = tools.embedder_of(gallery, made.model, made.flip, made.provenance, count)
    if strangers is not None:
        decision = _measured(strangers, known, fpir, pooling, score, tools.device)
    else:
        decision = _decision(embedder, known, fpir, threshold, score, among)
    identifier = _identifier(gallery, known, decision, pooling, score, tools.device)
    note(explained(decision, len(known.names)))
    accounts = []
    if photos and not found:
        raise inputs.nothing(photos[0])
    if photos:
        finder = tools.detector(embedder.engine)
        about = _about(embedder, finder)
        account = show_photos(list(found), finder, embedder, identifier, copies, inputs, about if as_json else None)
        accounts.append(account | about)
    detector = tools.frame_detector(embedder.engine) if videos else None
    for source in videos:
        assert detector is not None
        about = _about(embedder, detector)
        job = VideoJob(source, save, several, every, seconds, sound, about if as_json else None)
        try:
            accounts.append(show_video(job, detector, embedder, identifier) | about)
        except VideoError as error:
            if not several:
                raise
            accounts.append(_unreadable(source, str(error), as_json))
            inputs.see(source, readable=False)
    if summary is not None:
        accounts = [account | {"decision": asdict(decision)} for account in accounts]
        _write(summary, accounts[0] if len(accounts) == 1 else accounts)
    if videos and all("error" in account for account in accounts):
        raise click.exceptions.Exit(2)
    inputs.end(sum(account.get("undecodable", 0) + account.get("dropped", 0) for account in accounts))


def _about(embedder: "Embedder", detector: "Detector") -> dict[str, Any]:
    """How faces are found and embedded."""
    from facepipe.detection import detector_settings_of

    made = {"model": embedder.model.identity, "engine": embedder.engine, "precision": embedder.precision}
    return made | {"findings": [detector_settings_of(detector) | {"faces": "all"}]}


def _check_formats(photos: Iterable[Path], films: Iterable[Path]) -> None:
    from facepipe.identification.recorder import require_codec
    from facepipe.images.writing import require_suffix

    for path in photos:
        require_suffix(path.suffix)
    for path in films:
        require_codec(path)


def _sorted(media: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """Photos and folders, and videos, which are everything else."""
    from facepipe.identification.video import is_url, local_path
    from facepipe.images import EXTENSIONS, KINDS

    single = {name: photo for name in media if (photo := _single_photo(name)) is not None}
    names = [local_path(name) for name in media if name not in single]
    # Known formats that are neither photo nor video are reported by the photo reader.
    still = EXTENSIONS | {extension for extension, kind in KINDS.items() if kind != "video"}
    photos = [not is_url(name) and (Path(name).is_dir() or _suffix(name) in still) for name in names]
    videos = [name for name, photo in zip(names, photos, strict=True) if not photo]
    unique = {os.path.realpath(name) if Path(name).exists() else name: name for name in videos}
    local = [Path(name) for name, photo in zip(names, photos, strict=True) if photo]
    return [*single.values(), *local], list(unique.values())


def _suffix(name: str) -> str:
    """The extension of a file, or of the file that contains a page."""
    from facepipe.images import file_and_page

    return file_and_page(Path(name))[0].suffix.lower()


def _single_photo(name: str) -> Path | None:
    """A photo from standard input, or at a URL with a photo's extension; else None."""
    from facepipe.images import EXTENSIONS, RemotePhoto, is_web_address

    if name != "-" and not is_web_address(name):
        return None
    photo = PHOTO.convert(name, None, None)
    wanted = isinstance(photo, RemotePhoto) and (name == "-" or photo.suffix.lower() in EXTENSIONS)
    return photo if wanted else None


def _decision(
    embedder: "Embedder", gallery: "Gallery", fpir: float, threshold: float | None, score: str, among: Any
) -> "Decision":
    from facepipe.identification import decide, decision_at

    if threshold is not None:
        return decision_at(threshold)
    return decide(embedder.model.card, fpir, len(gallery.names), score, embedder.flip, among)


def _measured(path: Path, gallery: "Gallery", fpir: float, pooling: str, score: str, device: str) -> "Decision":
    from facepipe.embedding import load_embeddings
    from facepipe.errors import EmbeddingsError
    from facepipe.identification import measure

    strangers = load_embeddings(path)
    note_mixed(path, strangers.provenance, gallery.images.provenance)
    try:
        return measure(gallery, strangers, fpir, pooling, score, device)
    except EmbeddingsError as error:
        raise EmbeddingsError(f"{path}: {error}") from error


def _identifier(
    path: Path, gallery: "Gallery", decision: "Decision", pooling: str, score: str, device: str
) -> "Identifier":
    from facepipe.errors import EmbeddingsError
    from facepipe.identification import Identifier

    try:
        return Identifier(gallery, decision, pooling, score, device)
    except EmbeddingsError as error:
        raise EmbeddingsError(f"{path}: {error}") from error


def _unreadable(source: str, why: str, as_json: bool) -> dict[str, Any]:
    """Report one of several videos that cannot be read, and continue with the others."""
    from facepipe.cli.screen import print_json
    from facepipe.identification.video import without_password

    note(why, style="yellow")
    account = {"source": without_password(source), "error": why}
    if as_json:
        print_json(account, indent=None)
    return account


def _write(path: Path, value: object) -> None:
    import json

    from facepipe.files import write_text

    write_text(path, json.dumps(value, indent=2) + "\n")
    note(f"summary: {path}")
