"""The part of ``facepipe identify`` for photos."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli.inputs import Inputs, mirrored
from facepipe.cli.screen import note, print_json, progress, say
from facepipe.tables import counted

if TYPE_CHECKING:
    import numpy as np

    from facepipe.detection import Detector
    from facepipe.embedding import Embedder
    from facepipe.identification import Identifier
    from facepipe.identification.scene import Scene
    from facepipe.report.names import NamedBox

_CONFIDENCE = {"kappa": "kappa {:.0f}", "sigma2": "1/variance {:.3g}", "norm": "norm {:.1f}"}


def show_photos(
    files: Sequence[Path],
    detector: "Detector",
    embedder: "Embedder",
    identifier: "Identifier",
    copies: dict[Path, Path],
    inputs: Inputs,
    about: dict[str, Any] | None,
) -> dict[str, Any]:
    """Identify the faces in photos; prints lines on stdout, writes ``copies``, returns the summary.

    With ``about`` the lines are JSON that include it.
    """
    from facepipe.identification import confidence_kind
    from facepipe.identification.photos import identify_photos
    from facepipe.identification.scene import records
    from facepipe.identification.summary import PhotoSummary

    kind = confidence_kind(identifier.templates)
    summary = PhotoSummary()
    with progress("identifying", len(files)) as advance:
        for image, scene in identify_photos(files, detector, embedder, identifier, advance, inputs.read):
            summary.add(scene)
            inputs.see(image.path, image.remarks, not scene.reason)
            if about is not None:
                for record in records(scene, kind):
                    print_json(record | (about if "error" not in record else {}), indent=None)
            else:
                say(_line(scene))
            if image.path in copies and image.pixels is not None:
                _save(image.pixels, scene, kind, copies[image.path])
    inputs.report()
    account = summary.as_json() | inputs.to_dict()
    if about is not None and inputs.passed:
        print_json(inputs.passed_over(), indent=None)
    if account["unreadable"]:
        note(f"{account['unreadable']} of {counted(account['photos'], 'photo')} could not be read", style="yellow")
    if account["unreadable"] == account["photos"]:
        raise click.exceptions.Exit(2)
    return account


def _line(scene: "Scene") -> str:
    if scene.reason:
        return f"{scene.source}: {scene.reason}"
    faces = [f"{face.identity.name} {face.identity.score:.2f}" for face in scene.faces]
    return f"{scene.source}: {', '.join(faces) or 'no face'}"


def copies_of(found: dict[Path, Path], save: Path) -> dict[Path, Path]:
    """The path of each photo's copy: ``save`` itself if it is a file name, else a file in that folder.

    Args:
        found: photo → the root it was found in; subfolders are kept.
        save: see ``--save``.
    """
    if save.suffix:
        return dict.fromkeys(found, save)
    stems = mirrored(((root, path) for path, root in found.items()), save)
    return {path: stem.with_name(f"{stem.name}.jpg") for path, stem in stems.items()}


def _save(pixels: "np.ndarray", scene: "Scene", kind: str, path: Path) -> None:
    from facepipe.images import write_rgb
    from facepipe.report.names import draw_names

    write_rgb(path, draw_names(pixels, boxes_of(scene, kind)))


def boxes_of(scene: "Scene", kind: str) -> list["NamedBox"]:
    """Annotations of a scene: box, name, score and confidence of every face."""
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
