"""The part of ``facepipe identify`` that shows photos."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli.screen import note, print_json, progress
from facepipe.errors import FacepipeError

if TYPE_CHECKING:
    import numpy as np

    from facepipe.detection import Detector
    from facepipe.embedding import Embedder
    from facepipe.identification import Identifier
    from facepipe.identification.scene import Scene
    from facepipe.report.names import NamedBox

_CONFIDENCE = {"kappa": "kappa {:.0f}", "sigma2": "1/variance {:.3g}", "norm": "norm {:.1f}"}


def show_photos(
    paths: Sequence[Path],
    detector: "Detector",
    embedder: "Embedder",
    identifier: "Identifier",
    save: Path | None,
    as_json: bool,
) -> dict[str, Any]:
    """Name the faces of photos and folders; lines on stdout, copies in ``save``; returns the summary."""
    from facepipe.identification import confidence_kind
    from facepipe.identification.photos import identify_photos
    from facepipe.identification.scene import records
    from facepipe.identification.summary import PhotoSummary
    from facepipe.images import list_images

    kind = confidence_kind(identifier.templates)
    summary = PhotoSummary()
    files = list(chain.from_iterable(list_images(path) for path in paths))
    if not files:
        raise FacepipeError(f"{paths[0]}: no images in it; name image files or folders that hold some")
    root = paths[0] if len(paths) == 1 and paths[0].is_dir() else None
    with progress("identifying", len(files)) as advance:
        for image, scene in identify_photos(files, detector, embedder, identifier, advance):
            summary.add(scene)
            if as_json:
                for record in records(scene, kind):
                    print_json(record, indent=None)
            else:
                click.echo(_line(scene))
            if save is not None and image.pixels is not None:
                _save(image.pixels, scene, kind, _copy_of(image.path, root, save))
    account = summary.as_json()
    if account["unreadable"]:
        note(f"{account['unreadable']} of {account['photos']} photos could not be read", style="yellow")
    if account["unreadable"] == account["photos"]:
        raise click.exceptions.Exit(2)
    return account


def _line(scene: "Scene") -> str:
    if scene.reason:
        return f"{scene.source}: {scene.reason}"
    faces = [f"{face.identity.name} {face.identity.score:.2f}" for face in scene.faces]
    return f"{scene.source}: {', '.join(faces) or 'no face'}"


def _copy_of(path: Path, root: Path | None, save: Path) -> Path:
    """``save`` itself when it names a file, else a file in that folder."""
    if save.suffix:
        return save
    inside = path.relative_to(root).with_suffix("") if root is not None else Path(path.stem)
    return save / f"{inside}.jpg"


def _save(pixels: "np.ndarray", scene: "Scene", kind: str, path: Path) -> None:
    from facepipe.images import write_rgb
    from facepipe.report.names import draw_names

    write_rgb(path, draw_names(pixels, boxes_of(scene, kind)))


def boxes_of(scene: "Scene", kind: str) -> list["NamedBox"]:
    """What is drawn of a scene: box, name, score and confidence of every face."""
    from facepipe.report.names import NamedBox

    return [
        NamedBox(
            face.box,
            face.landmarks,
            face.identity.name if face.identity.known else None,
            f"{face.identity.name} {face.identity.score:.2f}",
            _CONFIDENCE[kind].format(face.confidence),
        )
        for face in scene.faces
    ]
