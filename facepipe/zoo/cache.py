"""The folder of downloaded and imported weights and of imported cards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facepipe.errors import ModelError
from facepipe.weights import cache_folder, is_present, weights_path
from facepipe.zoo.card import AnyCard


def cached_weights(card: AnyCard) -> Path:
    """The path of a card's weights: in the package if they ship with facepipe, otherwise in the cache."""
    return weights_path(card.weights.sha256, card.weights.file)


def is_cached(card: AnyCard) -> bool:
    """Whether the weights of a card are available locally."""
    return is_present(cached_weights(card))


def user_cards() -> Path:
    """Folder of the imported cards; it may not exist."""
    return cache_folder() / "cards"


@contextmanager
def writing_to_cache() -> Iterator[None]:
    """Turn an operating-system error in the block into a one-line error that names the cache.

    Raises:
        ModelError: the cache is read-only, full or not a folder.
    """
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{cache_folder()}: cannot write to the model cache ({error.strerror or error}); "
            "set FACEPIPE_CACHE to a writable folder with enough space"
        ) from error
