"""Embedding: aligned crops in, `Embeddings` out, and the file they are kept in."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facepipe.embedding.embeddings import Embeddings, join, require_same_fields, require_same_model

if TYPE_CHECKING:
    from facepipe.embedding.batches import iterate_embeddings, load_embeddings
    from facepipe.embedding.embedder import Embedder
    from facepipe.embedding.embeddings_file import EmbeddingsWriter, save_embeddings

__all__ = [
    "Embedder",
    "Embeddings",
    "EmbeddingsWriter",
    "iterate_embeddings",
    "join",
    "load_embeddings",
    "require_same_fields",
    "require_same_model",
    "save_embeddings",
]

_FILES = {
    "Embedder": "embedder",
    "EmbeddingsWriter": "embeddings_file",
    "iterate_embeddings": "batches",
    "load_embeddings": "batches",
    "save_embeddings": "embeddings_file",
}


def __getattr__(name: str) -> Any:
    """What embeds needs PyTorch, and what reads and writes files Arrow: nobody waits for what they do not use."""
    if name in _FILES:
        return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
