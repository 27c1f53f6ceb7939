"""Embedding: aligned crops in, `Embeddings` out, and the file format for them.

Embedding needs PyTorch or ONNX Runtime, reading and writing files needs Arrow; both are imported on first use.
"""

from typing import TYPE_CHECKING

from facepipe.embedding.embeddings import Embeddings, join, require_same_fields, require_same_model
from facepipe.imports import lazy

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

__getattr__ = lazy(__name__, {
    "Embedder": "embedder",
    "EmbeddingsWriter": "embeddings_file",
    "iterate_embeddings": "batches",
    "load_embeddings": "batches",
    "save_embeddings": "embeddings_file",
})
