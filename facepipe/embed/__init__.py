"""Embedding: aligned crops in, `Embeddings` out, and the file they are kept in."""

from facepipe.embed.batches import iterate_embeddings, load_embeddings
from facepipe.embed.embedder import FLIPS, Embedder
from facepipe.embed.embeddings import Embeddings, join, require_same_fields, require_same_model
from facepipe.embed.embeddings_file import EmbeddingsWriter, save_embeddings

__all__ = [
    "FLIPS",
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
