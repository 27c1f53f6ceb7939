"""Exporting a model as one ONNX file that any program can run, with its card in the metadata."""

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from facepipe.embedding import Embedder, Embeddings
from facepipe.errors import ModelError
from facepipe.export.input_preprocessing import include_preprocessing
from facepipe.files import require_apart, write_bytes
from facepipe.graphs import Graph, graph_bytes, read_graph
from facepipe.graphs.batch import free_batch
from facepipe.graphs.constants import fold_constants
from facepipe.graphs.stored import store_weights
from facepipe.weights import is_present
from facepipe.zoo import Card, load, locate
from facepipe.zoo.onnx_card import as_onnx_card, card_metadata
from facepipe.zoo.outline import outline_path

_CROPS = 8
_TOLERANCE = 1e-4
"""Permitted difference between the file and the original network, relative to the largest component of an embedding."""


@dataclass(frozen=True)
class OnnxExport:
    """A written ONNX file.

    Attributes:
        file: the ONNX file.
        model: its name.
        numbers: format in which weights are stored.
        size_bytes: of the file.
        difference: largest difference from the original network, on random crops, relative to the largest component
            of an embedding.
        least_cosine: smallest cosine between embeddings of the two.
    """

    file: Path
    model: str
    numbers: str
    size_bytes: int
    difference: float
    least_cosine: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"file": str(self.file)}


def export_onnx(
    name_or_path: str | Path,
    file: Path,
    name: str = "",
    *,
    whole: bool = False,
    numbers: str = "float32",
    overwrite: bool = False,
) -> OnnxExport:
    """Write a model, including its head, as an ONNX file that takes any number of crops; `load` accepts its path.

    The file is loaded, run and compared with the original model before it is kept, using PyTorch if it is installed
    and the ONNX engine otherwise.

    Args:
        name_or_path: of the model, as in `load`.
        file: to write.
        name: the model's name in the file; empty keeps the original, with ``numbers`` appended unless float32.
        whole: include colour order, scaling and the card's flip rule, so that it takes RGB pixels from 0 to 255.
        numbers: format in which weights are stored, from `STORED_AS`; computation is in float32. float16 halves
            the file, int8 (one scale for each output of a layer) quarters it.
        overwrite: replace an existing file; the model's own file is never replaced.

    Raises:
        ModelError: there is no such model, its weights are not available, something in it has no counterpart in ONNX,
            or the file's outputs differ from the model's.
        MissingExtraError: the model's weights need PyTorch, which is not installed.
        OutputError: the file would replace the model's own, or exists already.
    """
    card, weights = locate(name_or_path)
    require_apart([file], [weights], overwrite)
    graph = _graph(name_or_path, card, weights)
    fold_constants(graph)
    card = as_onnx_card(card, file, name or (card.name if numbers == "float32" else f"{card.name}-{numbers}"))
    if whole:
        card = include_preprocessing(graph, card)
    store_weights(graph, numbers)
    graph.metadata = card_metadata(card)
    data = graph_bytes(graph)
    difference, cosine = _compared(name_or_path, data)
    if numbers == "float32" and not difference <= _TOLERANCE:
        raise ModelError(f"{file}: not written: its embeddings differ by {difference:.2g} from those of {card.name}")
    write_bytes(file, data)
    return OnnxExport(file, card.name, numbers, len(data), difference, cosine)


def _graph(name_or_path: str | Path, card: Card, weights: Path) -> Graph:
    graph_file = weights if card.weights.format == "onnx" else outline_path(weights)
    if is_present(graph_file):
        graph = read_graph(graph_file)
        free_batch(graph)
        return graph
    from facepipe.zoo.model_graph import model_graph

    return model_graph(load(name_or_path))


def _compared(name_or_path: str | Path, data: bytes) -> tuple[float, float]:
    """Largest difference and smallest cosine between a model and a file's bytes, on random crops."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(data)
        made = Embedder(load(file, engine="onnx"))
    crops = np.random.default_rng(0).integers(0, 256, (_CROPS, *made.size, 3), np.uint8)
    exported, original = made(crops), _reference(name_or_path)(crops)
    differences = [_difference(*both) for both in zip(_numbers(exported), _numbers(original), strict=True)]
    return max(differences), _least_cosine(exported.mu, original.mu)


def _reference(name_or_path: str | Path) -> Embedder:
    from facepipe.imports import has_torch

    return Embedder(load(name_or_path, engine="torch" if has_torch() else "onnx"), precision="float32")


def _numbers(embeddings: Embeddings) -> list[np.ndarray]:
    found = (embeddings.mu, embeddings.kappa, embeddings.sigma2)
    return [values for values in found if values is not None]


def _difference(exported: np.ndarray, original: np.ndarray) -> float:
    return float(np.abs(exported - original).max() / np.abs(original).max())


def _least_cosine(exported: np.ndarray, original: np.ndarray) -> float:
    exported, original = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (exported, original))
    return float((exported * original).sum(1).min())
