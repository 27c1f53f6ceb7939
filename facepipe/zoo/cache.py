"""The folder of downloaded and imported weights, and of the cards a user adds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facepipe.errors import ModelError
from facepipe.weights import cache_folder, is_present, weights_path
from facepipe.zoo.card import AnyCard


def cached_weights(card: AnyCard) -> Path:
    """Where the weights of a card are, or would be: with facepipe if they ship with it, otherwise in the cache."""
    return weights_path(card.weights.sha256, card.weights.file)


def is_cached(card: AnyCard) -> bool:
    """Whether the weights of a card are at hand."""
    return is_present(cached_weights(card))


def user_cards() -> Path:
    """Folder of the cards that were added by importing; it need not exist."""
    return cache_folder() / "cards"


@contextmanager
def writing_to_cache() -> Iterator[None]:
    """Turn an operating-system error of the block into one line that names the cache.

    Raises:
        ModelError: the cache is read-only, full or no folder.
    """
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{cache_folder()}: cannot write to the model cache ({error.strerror or error}); "
            "set FACEPIPE_CACHE to a folder with room that you may write to"
        ) from error
