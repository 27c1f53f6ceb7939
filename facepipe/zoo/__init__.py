"""Models by name: cards, the cache of weights, and loading.

Importing this package imports neither torch nor anything that only downloads or ONNX models need.
"""

from typing import TYPE_CHECKING

from facepipe.imports import lazy
from facepipe.weights import cache_folder, sha256_of
from facepipe.zoo.cache import cached_weights, is_cached, user_cards
from facepipe.zoo.card import (
    AnyCard,
    Card,
    CardSource,
    DetectorCard,
    Embedding,
    Flip,
    Input,
    Population,
    Probability,
    Threshold,
    Uncertainty,
    Use,
    Weights,
)
from facepipe.zoo.card_file import read_card, save_card
from facepipe.zoo.catalogue import DEFAULT, CardStatus, available, detector_cards, find_any_card, find_card
from facepipe.zoo.exported import find_exported, import_exported
from facepipe.zoo.loading import CARD_FILE, Model, Network, engine_for, load, locate
from facepipe.zoo.match_rate import MatchRate, match_rate, match_rates, rates_in_words

if TYPE_CHECKING:
    from facepipe.zoo.download import pull
    from facepipe.zoo.exporting import export_model
    from facepipe.zoo.importing import import_foreign, import_weights

__all__ = [
    "CARD_FILE",
    "DEFAULT",
    "AnyCard",
    "Card",
    "CardSource",
    "CardStatus",
    "DetectorCard",
    "Embedding",
    "Flip",
    "Input",
    "MatchRate",
    "Model",
    "Network",
    "Population",
    "Probability",
    "Threshold",
    "Uncertainty",
    "Use",
    "Weights",
    "available",
    "cache_folder",
    "cached_weights",
    "detector_cards",
    "engine_for",
    "export_model",
    "find_any_card",
    "find_card",
    "find_exported",
    "import_exported",
    "import_foreign",
    "import_weights",
    "is_cached",
    "load",
    "locate",
    "match_rate",
    "match_rates",
    "pull",
    "rates_in_words",
    "read_card",
    "save_card",
    "sha256_of",
    "user_cards",
]

__getattr__ = lazy(__name__, {
    "export_model": "exporting",
    "import_foreign": "importing",
    "import_weights": "importing",
    "pull": "download",
})
