"""Models with card and weights in one folder, from 'facepipe models export' or a training run."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from facepipe.errors import ModelError
from facepipe.files import write_bytes
from facepipe.parameters import parameter
from facepipe.weights import is_present, sha256_of
from facepipe.zoo.cache import cached_weights, user_cards, writing_to_cache
from facepipe.zoo.card import Card
from facepipe.zoo.card_file import read_card, save_card
from facepipe.zoo.outline import moved_outline, outline_path

CARD_FILE = "card.toml"


@dataclass(frozen=True)
class Exported:
    """A card and the file of its weights."""

    card: Card
    weights: Path


def card_in(folder: Path) -> Path:
    """The card of a folder: ``card.toml``, or the only card there is.

    Raises:
        ModelError: there is none, or several; for an unfinished run, the message says how to finish it.
    """
    usual = folder / CARD_FILE
    if usual.is_file():
        return usual
    cards = [path for path in sorted(folder.glob("*.toml")) if path.name != "recipe.toml"]
    if len(cards) == 1:
        return cards[0]
    if cards:
        names = ", ".join(path.name for path in cards[:4])
        raise ModelError(f"{folder}: has {len(cards)} cards; name one of them: {names}")
    if (folder / "recipe.toml").is_file():
        checkpoints = sorted((folder / "checkpoints").glob("step-*"))
        where = f"its last checkpoint is {checkpoints[-1].name}" if checkpoints else "it has no checkpoint yet"
        raise ModelError(
            f"{folder}: an unfinished run ({where}); finish it with 'facepipe train --resume -o {folder}', "
            f"or earlier with {parameter('overrides', 'schedule.length=N', 'set')}"
        )
    raise ModelError(f"{folder}: has no card.toml; a model is a name, a card file, or a folder with one card")


def find_exported(path: Path) -> Exported | None:
    """The model at a path: a card, a folder with a card, or weights with a card in the same folder; None for others.

    Raises:
        ModelError: the card or its weights are damaged or missing.
    """
    if path.is_dir() or path.suffix.lower() == ".toml":
        file = card_in(path) if path.is_dir() else path
        card = read_card(file)
        weights = file.parent / PurePosixPath(card.weights.file)
        if not is_present(weights):
            raise ModelError(f"{weights}: no such file; the weights of {file.name} must be in its folder")
        return Exported(card, weights)
    for file in sorted(path.parent.glob("*.toml")):
        try:
            card = read_card(file)
        except ModelError:
            continue
        if card.weights.file == path.name and is_present(path) and sha256_of(path) == card.weights.sha256:
            return Exported(card, path)
    return None


def import_exported(exported: Exported, name: str) -> Card:
    """Import an exported model into the cache under a name, with its complete card.

    Raises:
        ModelError: the weights are not those of the card, or the cache cannot be written.
    """
    from facepipe.zoo.importing import import_weights

    card = replace(exported.card, name=name)
    import_weights(card, exported.weights)
    cached = cached_weights(card)
    with writing_to_cache():
        if is_present(outline_path(exported.weights)) and not is_present(outline_path(cached)):
            write_bytes(outline_path(cached), moved_outline(outline_path(exported.weights), cached.name))
        user_cards().mkdir(parents=True, exist_ok=True)
    save_card(card, user_cards() / f"{name}.toml")
    return card
