"""The cards of detectors: where their weights come from."""

from facepipe.shipped import shipped
from facepipe.zoo.card import AnyCard, DetectorCard
from facepipe.zoo.card_file import read_detector_card
from facepipe.zoo.catalogue import find_card


def detector_cards() -> dict[str, DetectorCard]:
    """Name → card of each detector that has weights; those of one whose card has no URL ship with facepipe.

    Raises:
        ModelError: a card is damaged.
    """
    return {path.stem: read_detector_card(path) for path in sorted(shipped("models", "detectors").glob("*.toml"))}


def find_any_card(name: str) -> AnyCard:
    """The card of a detector or of a model by name.

    Raises:
        ModelError: there is no such card, or it is damaged.
    """
    return detector_cards().get(name) or find_card(name)
