"""Reporting on a gallery that was created or changed."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli.inputs import Inputs
from facepipe.cli.screen import note, print_json
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.identification import Gallery, Remark
    from facepipe.zoo import Card

_FPIR = 1e-2


def close_to_others(gallery: "Gallery", card: "Card", only: set[str] | None = None) -> list["Remark"]:
    """A remark on each image (in ``only``, if given) that 'facepipe identify' would name as another person."""
    import numpy as np

    from facepipe.errors import ModelError
    from facepipe.identification import decide, find_lookalikes

    try:
        same = decide(card, _FPIR, len(gallery.names), flip=gallery.images.flip).threshold
    except ModelError:
        same = 1.0
    rows = None if only is None else np.array([n for n, path in enumerate(gallery.images.paths) if path in only], int)
    return find_lookalikes(gallery, same, rows)


_NOUNS = {
    "no_face": "image without a usable face",  # or unreadable
    "several_faces": "image with several faces",
    "low_confidence": "uncertain face",
    "duplicate": "duplicate",
    "resembles": "look-alike of somebody else",
    "renamed": "renamed image",
    "replaced": "replaced image",
    "damaged": "damaged image",
    "picture": "image with a remark",
}
"""Kind of remark → what it is about."""


def report(
    path: Path,
    gallery: "Gallery",
    remarks: list["Remark"],
    as_json: bool,
    inputs: Inputs | None = None,
    changes: dict[str, int] | None = None,
) -> None:
    """Print the contents of the gallery at ``path`` and remarks to check; ``inputs`` sets the exit code."""
    from facepipe.embedding.finding import mixed_detectors
    from facepipe.embedding.provenance import mixed_precision
    from facepipe.identification import Remark

    images = gallery.images
    mixed = {
        "mixed_precision": mixed_precision(images.precision),
        "mixed_detectors": mixed_detectors(images.findings),
    }
    remarks = [*remarks, *(Remark(kind, str(path), text) for kind, text in mixed.items() if text)]
    if inputs is not None:
        remarks = [remark for remark in remarks if inputs.concerns(remark.text)]
        inputs.report()
    passed = {} if inputs is None else inputs.passed_over()
    if as_json:
        counts = {} if changes is None else {"changes": changes}
        print_json(account(path, gallery) | {"remarks": [vars(remark) for remark in remarks]} | passed | counts)
        _end(inputs, remarks)
        return
    for remark in remarks:
        note(f"{remark.path}: {remark.text}", style="yellow")
    click.echo(f"{path}: {size_of_gallery(gallery)}, embedded by {gallery.images.model}")
    kinds = Counter(_NOUNS.get(remark.kind, f"remark on {remark.kind.replace('_', ' ')}") for remark in remarks)
    if kinds:
        click.echo("to check: " + ", ".join(counted(count, kind) for kind, count in kinds.items()))
    _end(inputs, remarks)


def _end(inputs: Inputs | None, remarks: list["Remark"]) -> None:
    if inputs is not None:
        for remark in remarks:
            inputs.see(remark.path, (remark.text,) if remark.kind == "picture" else ())
        inputs.end(sum(remark.kind == "no_face" for remark in remarks))


def account(path: Path, gallery: "Gallery") -> dict[str, Any]:
    """The ``--json`` output for a gallery."""
    counts = dict(zip(gallery.names, gallery.counts().tolist(), strict=True))
    images = gallery.images
    return {
        "gallery": str(path),
        "model": images.model,
        "flip": images.flip,
        **images.record(),
        "people": counts,
        "images": len(images),
    }


def size_of_gallery(gallery: "Gallery") -> str:
    """Numbers of people and images, in words."""
    return f"{counted(len(gallery.names), 'person')}, {counted(len(gallery.images), 'image')}"
