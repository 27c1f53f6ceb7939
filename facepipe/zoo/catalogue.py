"""The available models and detectors: cards shipped with facepipe, and cards added by the user."""

from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import ModelError
from facepipe.nearest import did_you_mean
from facepipe.shipped import shipped
from facepipe.zoo.cache import is_cached, user_cards
from facepipe.zoo.card import AnyCard, Card, DetectorCard
from facepipe.zoo.card_file import read_card, read_detector_card

DEFAULT = "facepipe-mobilenet"
"""The default model of all commands; its weights ship with facepipe."""


@dataclass(frozen=True)
class CardStatus:
    """A card in the catalogue.

    Attributes:
        name: name of the model, for ``load``.
        path: file of the card.
        shipped: whether it ships with facepipe.
        card: None if the file is damaged.
        cached: whether the weights are in the cache.
        problem: one-line description of the problem with a damaged card, else empty.
    """

    name: str
    path: Path
    shipped: bool
    card: Card | None
    cached: bool
    problem: str = ""


def available() -> list[CardStatus]:
    """All cards by name, shipped ones first; a damaged card is listed with its problem."""
    statuses = []
    for name, path in card_files().items():
        try:
            card = _read(name, path)
        except ModelError as error:
            statuses.append(CardStatus(name, path, is_shipped(name), None, False, str(error)))
            continue
        statuses.append(CardStatus(name, path, is_shipped(name), card, is_cached(card)))
    return statuses


def find_card(name: str) -> Card:
    """The card of a model by name.

    Raises:
        ModelError: there is no such card (the message suggests the nearest name), or it is damaged.
    """
    shipped_card = shipped("models", "cards") / f"{name}.toml"
    if name == shipped_card.stem and shipped_card.is_file():
        return _read(name, shipped_card)
    files = card_files()
    if name not in files:
        hint = did_you_mean(name, files)
        raise ModelError(f"unknown model {name!r}; {hint} (or give the path of a card file or run folder)")
    return _read(name, files[name])


def card_files() -> dict[str, Path]:
    """Name → card file. A user's card cannot override a shipped one of the same name."""
    files = {path.stem: path for path in _shipped()}
    for path in _tomls(user_cards()):
        files.setdefault(path.stem, path)
    return files


def card_file(name_or_path: str) -> Path | None:
    """The card file of a name or path (see `locate`); None for a shipped card, which must not be changed."""
    path = Path(name_or_path)
    if name_or_path in card_files():
        return None if is_shipped(name_or_path) else card_files()[name_or_path]
    return path / "card.toml" if path.is_dir() else path


def is_shipped(name: str) -> bool:
    """Whether a card of this name ships with facepipe."""
    return any(path.stem == name for path in _shipped())


def _shipped() -> list[Path]:
    return _tomls(shipped("models", "cards"))


def _tomls(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml"))


def _read(name: str, path: Path) -> Card:
    card = read_card(path)
    if card.name != name:
        raise ModelError(f"{path}: the card's name is {card.name!r}; rename the file to {card.name}.toml")
    return card


def detector_cards() -> dict[str, DetectorCard]:
    """Name → card of each detector with weights; cards without a URL have weights that ship with facepipe.

    Raises:
        ModelError: a card is damaged.
    """
    return {path.stem: read_detector_card(path) for path in _tomls(shipped("models", "detectors"))}


def find_any_card(name: str) -> AnyCard:
    """The card of a detector or of a model by name.

    Raises:
        ModelError: there is no such card, or it is damaged.
    """
    return detector_cards().get(name) or find_card(name)
