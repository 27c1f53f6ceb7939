"""Embedding: aligned crops in, `Embeddings` out, and the file they are kept in."""

from facepipe.embed.embedder import FLIPS, Embedder
from facepipe.embed.embeddings import (
    Embeddings,
    EmbeddingsWriter,
    join,
    load_embeddings,
    require_same_model,
    save_embeddings,
)

__all__ = [
    "FLIPS",
    "Embedder",
    "Embeddings",
    "EmbeddingsWriter",
    "join",
    "load_embeddings",
    "require_same_model",
    "save_embeddings",
]
