"""A model as one ONNX file that any program can run, with its card in the metadata."""

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from facepipe.embedding import Embedder, Embeddings
from facepipe.errors import ModelError
from facepipe.export.take_in import take_in
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
"""Of the largest number of an embedding, by which the file may differ from the network it was made of."""


@dataclass(frozen=True)
class OnnxExport:
    """What was written.

    Attributes:
        file: the ONNX file.
        model: its name.
        numbers: format in which weights are stored.
        size_bytes: of the file.
        difference: largest difference from the network that it was made of, on random crops, as a share of the largest
            number of an embedding.
        least_cosine: between embeddings of the two.
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
    """Write a model, its head included, as an ONNX file that takes any number of crops; `load` takes its path.

    The file is loaded and run before it is kept, and compared with the model that it was made of: by PyTorch where that
    is installed, else by the ONNX engine.

    Args:
        name_or_path: of the model, as `load` takes it.
        file: to write.
        name: the model's name in the file; empty keeps its own, with ``numbers`` where that is not float32.
        whole: put colour order, scaling and the card's flip rule inside, so that it takes RGB pixels from 0 to 255.
        numbers: format in which weights are stored, of `STORED_AS`; they are computed with in float32. float16 halves
            the file, int8 (one scale for each output of a layer) quarters it.
        overwrite: replace a file that is there; that of the model itself never is.

    Raises:
        ModelError: there is no such model, it is not at hand, something in it has no counterpart in ONNX, or the file
            gives other figures than the model.
        MissingExtraError: the model's weights are PyTorch's, and that is not installed.
        OutputError: the file would replace the model's own, or is there already.
    """
    card, weights = locate(name_or_path)
    require_apart([file], [weights], overwrite)
    graph = _graph(name_or_path, card, weights)
    fold_constants(graph)
    card = as_onnx_card(card, file, name or (card.name if numbers == "float32" else f"{card.name}-{numbers}"))
    if whole:
        card = take_in(graph, card)
    store_weights(graph, numbers)
    graph.metadata = card_metadata(card)
    data = graph_bytes(graph)
    difference, cosine = _compared(name_or_path, data)
    if numbers == "float32" and not difference <= _TOLERANCE:
        raise ModelError(f"{file}: not written: its embeddings differ by {difference:.2g} from those of {card.name}")
    write_bytes(file, data)
    return OnnxExport(file, card.name, numbers, len(data), difference, cosine)


def _graph(name_or_path: str | Path, card: Card, weights: Path) -> Graph:
    own = weights if card.weights.format == "onnx" else outline_path(weights)
    if is_present(own):
        graph = read_graph(own)
        free_batch(graph)
        return graph
    from facepipe.zoo.model_graph import model_graph

    return model_graph(load(name_or_path))


def _compared(name_or_path: str | Path, data: bytes) -> tuple[float, float]:
    """Largest difference and least cosine between a model and a file's bytes, on random crops."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(data)
        made = Embedder(load(file, engine="onnx"))
    crops = np.random.default_rng(0).integers(0, 256, (_CROPS, *made.size, 3), np.uint8)
    ours, theirs = made(crops), _reference(name_or_path)(crops)
    differences = [_difference(*both) for both in zip(_numbers(ours), _numbers(theirs), strict=True)]
    return max(differences), _least_cosine(ours.mu, theirs.mu)


def _reference(name_or_path: str | Path) -> Embedder:
    from facepipe.imports import has_torch

    return Embedder(load(name_or_path, engine="torch" if has_torch() else "onnx"), precision="float32")


def _numbers(embeddings: Embeddings) -> list[np.ndarray]:
    found = (embeddings.mu, embeddings.kappa, embeddings.sigma2)
    return [values for values in found if values is not None]


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _least_cosine(ours: np.ndarray, theirs: np.ndarray) -> float:
    ours, theirs = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (ours, theirs))
    return float((ours * theirs).sum(1).min())
