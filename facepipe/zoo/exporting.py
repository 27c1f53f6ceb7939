"""Exporting a model: its card and its weights as two files of one folder."""

import shutil
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from facepipe.errors import ModelError
from facepipe.files import replacing, require_apart
from facepipe.weights import is_present, sha256_of
from facepipe.zoo.card import Card
from facepipe.zoo.card_file import save_card
from facepipe.zoo.loading import locate


def export_model(name_or_path: str | Path, folder: Path, name: str = "", overwrite: bool = False) -> Path:
    """Write ``NAME.toml`` and the weights, under that name too, to a folder; ``load`` takes the card's path.

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
    path = folder / f"{renamed.name}.toml"
    require_apart([path, folder / renamed.weights.file], [weights], overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / renamed.weights.file) as temporary:
            shutil.copyfile(weights, temporary)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write to this folder ({error.strerror or error})") from error
    save_card(renamed, path)
    return path


def _renamed(card: Card, name: str, weights: Path) -> Card:
    file = name + PurePosixPath(card.weights.file).suffix
    own = card.weights.model_copy(update={"file": file, "size_bytes": weights.stat().st_size})
    try:
        return Card.model_validate(card.model_dump() | {"name": name, "weights": own.model_dump()})
    except ValidationError as error:
        raise ModelError(f"{name!r} cannot name a model: use small letters, digits, '.', '-' and '_'") from error
