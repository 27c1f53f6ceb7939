"""Exporting a model: its card and its weights as two files of one folder."""

import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

from facepipe.errors import ModelError
from facepipe.files import replacing, require_apart, write_bytes
from facepipe.weights import is_present, sha256_of
from facepipe.zoo.card import Card
from facepipe.zoo.card_file import save_card
from facepipe.zoo.loading import load, locate
from facepipe.zoo.outline import outline_path
from facepipe.zoo.part import FieldError


def export_model(name_or_path: str | Path, folder: Path, name: str = "", overwrite: bool = False) -> Path:
    """Write ``NAME.toml`` and the weights, under that name too, to a folder; ``load`` takes the card's path.

    Weights in safetensors get a graph beside them, for the ONNX engine: the one that is there, or one made by PyTorch.

    Args:
        name_or_path: of the model, as `load` takes it.
        folder: where to; made if it is not there.
        name: the model's new name; empty keeps its own.
        overwrite: replace files that are there; those of the model itself never are.

    Returns:
        Path of the card.

    Raises:
        ModelError: there is no such model, its weights are not at hand or damaged, the name is impossible, or the
            folder cannot be written.
        OutputError: a file would replace the model's own, or is there already.
    """
    card, weights = locate(name_or_path)
    if not is_present(weights) or sha256_of(weights) != card.weights.sha256:
        raise ModelError(f"{weights}: the weights of {card.name} are missing or damaged, so they cannot be exported")
    renamed = _renamed(card, name or card.name, weights)
    path, copy = folder / f"{renamed.name}.toml", folder / renamed.weights.file
    outlined = card.weights.format == "safetensors"
    require_apart([path, copy, *[outline_path(copy)] * outlined], [weights], overwrite)
    outline = _outline(name_or_path, weights, copy.name) if outlined else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(copy) as temporary:
            shutil.copyfile(weights, temporary)
        if outline is not None:
            write_bytes(outline_path(copy), outline)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write to this folder ({error.strerror or error})") from error
    save_card(renamed, path)
    return path


def _outline(name_or_path: str | Path, weights: Path, file: str) -> bytes | None:
    """The graph over a copy of the weights named ``file``; None where neither it nor PyTorch is there."""
    from facepipe.installed import has_torch
    from facepipe.zoo.outline import moved_outline, outline_bytes

    if is_present(outline_path(weights)):
        return moved_outline(outline_path(weights), file)
    if not has_torch():
        return None
    from facepipe.zoo.model_graph import model_graph

    model = load(name_or_path)
    return outline_bytes(model_graph(model), weights, model.card.weights.sha256, file)


def _renamed(card: Card, name: str, weights: Path) -> Card:
    file = name + PurePosixPath(card.weights.file).suffix
    own = replace(card.weights, file=file, size_bytes=weights.stat().st_size)
    try:
        return replace(card, name=name, weights=own)
    except FieldError as error:
        raise ModelError(f"{name!r} cannot name a model: use small letters, digits, '.', '-' and '_'") from error
