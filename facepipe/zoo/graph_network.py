"""A model's network run by the ONNX engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.engines import Session, open_session
from facepipe.errors import ModelError
from facepipe.graphs import Graph, Value, read_graph
from facepipe.graphs.batch import free_batch
from facepipe.tables import counted
from facepipe.zoo.onnx_ends import named

EMBEDDING = "embedding"
_INFINITE, _NEGATIVE_INFINITE = 0x7C00, 0xFC00
"""In IEEE 754 binary16."""
HEAD_OUTPUTS = {"log_kappa": "kappa", "log_sigma2": "sigma2"}
"""Output of a graph → kind of uncertainty of which it is the logarithm."""


@dataclass(frozen=True)
class GraphHead:
    """The uncertainty head of a graph.

    Attributes:
        kind: ``kappa`` or ``sigma2``.
        outputs: outputs per face.
    """

    kind: str
    outputs: int


class GraphNetwork:
    """float32 N×3×H×W, normalised as on the card → embeddings N×D, and log κ or log σ² N×K if there is a head.

    The graph must have one input N×3×H×W and one output N×D, float32, and may have a second output of `HEAD_OUTPUTS`. A
    fixed batch size is made dynamic.

    Args:
        path: the ONNX file.
        input_size: (H, W) of the crops.
        threads: threads per run; None: as many as the process may use.
        device: ``cpu``, or a torch device for ONNX Runtime.
        verify: test that the graph runs and accepts any batch size; not needed for graphs written by facepipe.
        name: name of the file in errors; empty: its path.

    Attributes:
        embedding_dim: D.
        head: the head, or None.
        metadata: metadata of the file.

    Raises:
        DeviceError: the installed ONNX Runtime does not support the device.
        ModelError: the file is damaged, or its graph is not an embedder of such crops.
    """

    def __init__(
        self,
        path: Path,
        input_size: tuple[int, int],
        threads: int | None = None,
        device: Any = "cpu",
        verify: bool = True,
        name: str = "",
    ) -> None:
        self._path, self.input_size = Path(name or path), input_size
        graph = read_graph(path)
        free_batch(graph)
        _require_finite(graph, self._path)
        self.metadata = graph.metadata
        kind = _check_ends(graph, self._path, input_size)
        self._session: Session = open_session(graph, threads, str(self._path), device)
        self.library = self._session.library
        dims = [values.shape[1] for values in self._check()] if verify else [_length(value) for value in graph.outputs]
        self.embedding_dim = dims[0]
        self.head = GraphHead(kind, dims[1]) if kind else None

    def __call__(self, crops: np.ndarray) -> list[np.ndarray]:
        """The graph's outputs for crops N×3×H×W, N at least 1.

        Raises:
            ModelError: the crops have the wrong size.
        """
        if crops.ndim != 4 or crops.shape[1:] != (3, *self.input_size):
            shape, (height, width) = "×".join(map(str, crops.shape)), self.input_size
            raise ModelError(f"{self._path}: crops must be N×3×{height}×{width}, got {shape}")
        return self._session(crops)

    def _check(self) -> list[np.ndarray]:
        """Run the graph; checks that a crop has the same output alone and in a batch."""
        noise = np.random.default_rng(0).uniform(0, 255, (2, 3, *self.input_size)).astype(np.float32)
        single, both = self._session(noise[:1]), self._session(noise)
        for one, two in zip(single, both, strict=True):
            if one.ndim != 2 or len(one) != 1:
                raise ModelError(f"{self._path}: the output must be N×D, one crop gives {one.shape}")
            if not np.isfinite(two).all():
                raise ModelError(f"{self._path}: the embedding of a crop is not finite; export the model again")
            tolerance = 1e-3 * float(np.abs(one).max())
            if len(two) != 2 or not np.allclose(two[0], one[0], rtol=0, atol=tolerance):
                raise ModelError(
                    f"{self._path}: this ONNX graph supports only a batch of 1; export it with a dynamic batch axis"
                )
        return both


def _length(output: Value) -> int:
    length = (output.shape or [None])[-1]
    return length if isinstance(length, int) else 0


def _require_finite(graph: Graph, path: Path) -> None:
    """Refuse weights that are not finite; scalars may be infinite, as limits."""
    wrong = [
        name
        for name, values in graph.constants.items()
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.size > 1 and not _finite(values)
    ]
    if wrong:
        raise ModelError(
            f"{path}: NaN or infinite values in {counted(len(wrong), 'tensor')}, such as {wrong[0]}; the "
            "training diverged, or the file is damaged"
        )


def _finite(values: np.ndarray) -> bool:
    if values.dtype == np.float16:
        # NumPy tests float16 values slowly, one by one. As integers, infinity and NaN are the largest of either sign.
        return int(values.view(np.int16).max()) < _INFINITE and int(values.view(np.uint16).max()) < _NEGATIVE_INFINITE
    return bool(np.isfinite(values).all())


def _check_ends(graph: Graph, path: Path, input_size: tuple[int, int]) -> str:
    """Check that input and outputs are those of an embedder; returns the kind of its head, or an empty string."""
    kind = HEAD_OUTPUTS.get(graph.outputs[1].name, "") if len(graph.outputs) == 2 else ""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 + bool(kind):
        hint = "; choose the embedding with 'facepipe models import --output NAME'" * (len(graph.outputs) > 1)
        message = f"inputs {named(graph.inputs)}, outputs {named(graph.outputs)}"
        raise ModelError(f"{path}: an embedder has one input and one output, but this graph has {message}{hint}")
    crops = graph.inputs[0]
    shape = crops.shape or []
    expected = (3, *input_size)
    if len(shape) != 4 or any(
        isinstance(side, int) and side not in (0, want) for side, want in zip(shape[1:], expected, strict=True)
    ):
        last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
        nhwc = "; it takes channels last: 'facepipe models import --layout nhwc'" if last else ""
        message = f"the card says N×{'×'.join(map(str, expected))}, but the graph takes {named([crops])}"
        raise ModelError(f"{path}: {message}{nhwc}")
    if crops.kind != 1:
        raise ModelError(f"{path}: the input of the graph must be float32; export it with that type")
    return kind
