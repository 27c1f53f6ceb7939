"""Export a model: its card and its weights as two files in a folder."""

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
    """Write ``NAME.toml`` and the weights under the same name to a folder; ``load`` accepts the card's path.

    Safetensors weights get a graph for the ONNX engine: a copy of the existing one, or one made by PyTorch.

    Args:
        name_or_path: the model, as for `load`.
        folder: target folder, created if it does not exist.
        name: new name of the model; empty keeps the present one.
        overwrite: replace existing files, but never those of the model itself.

    Returns:
        Path of the card.

    Raises:
        ModelError: there is no such model, its weights are missing or damaged, the name is invalid, or the folder is
            not writable.
        OutputError: a file would replace one of the model's, or exists already.
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
    """The graph for a copy of the weights named ``file``; None if there is neither a graph nor PyTorch."""
    from facepipe.imports import has_torch
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
    entry = replace(card.weights, file=file, size_bytes=weights.stat().st_size)
    try:
        return replace(card, name=name, weights=entry)
    except FieldError as error:
        raise ModelError(f"{name!r} is not a valid model name: use lowercase letters, digits, '.', '-', '_'") from error
