"""Which models there are: the cards that ship with facepipe and those the user added."""

from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import ModelError
from facepipe.nearest import did_you_mean
from facepipe.shipped import shipped
from facepipe.zoo.cache import is_cached, user_cards
from facepipe.zoo.card import Card
from facepipe.zoo.card_file import read_card

DEFAULT = "facepipe-mobilenet"
"""The model that commands take when none is named; its weights ship with facepipe."""


@dataclass(frozen=True)
class CardStatus:
    """One card of the catalogue.

    Attributes:
        name: of the model; what ``load`` takes.
        path: of the card.
        shipped: it came with facepipe, not from the user.
        card: None when the file is damaged.
        cached: the weights are in the cache.
        problem: what is wrong with the card, one line; empty when nothing is.
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
        ModelError: there is no such card (the nearest name is given), or it is damaged.
    """
    own = shipped("models", "cards") / f"{name}.toml"
    if name == own.stem and own.is_file():
        return _read(name, own)
    files = card_files()
    if name not in files:
        hint = did_you_mean(name, files)
        raise ModelError(f"unknown model {name!r}; {hint} (or give the path of a card file or run folder)")
    return _read(name, files[name])


def card_files() -> dict[str, Path]:
    """Name → card file. A user's card cannot stand in for a shipped one of the same name."""
    files = {path.stem: path for path in _shipped()}
    for path in _tomls(user_cards()):
        files.setdefault(path.stem, path)
    return files


def card_file(name_or_path: str) -> Path | None:
    """The file of the card that a name or path means (see `locate`), if it may be written to: none of a shipped one."""
    path = Path(name_or_path)
    if name_or_path in card_files():
        return None if is_shipped(name_or_path) else card_files()[name_or_path]
    return path / "card.toml" if path.is_dir() else path


def is_shipped(name: str) -> bool:
    """Whether a card of this name came with facepipe."""
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
