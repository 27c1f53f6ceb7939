"""An ONNX embedder with the interface of a PyTorch network."""

from pathlib import Path

import torch
from torch import Tensor

from facepipe.zoo.graph_network import GraphNetwork


class OnnxNetwork:
    """N×3×H×W float → N×D float32, on the device of the input.

    See `GraphNetwork`; on the CPU it uses as many threads as torch when it is created.

    Args:
        path: the ONNX file.
        device: ``cpu`` or ``cuda``.
        input_size: (H, W) of the crops.

    Attributes:
        embedding_dim: D.
        input_size: (H, W).
        library: the library that runs it, ``onnxruntime`` or ``opencv``.

    Raises:
        DeviceError: the installed ONNX Runtime does not support the device.
        ModelError: the file is damaged, or its graph is not an embedder of such crops.
    """

    def __init__(self, path: Path, device: torch.device, input_size: tuple[int, int]) -> None:
        self.input_size = input_size
        self._path = path
        self._network = GraphNetwork(path, input_size, torch.get_num_threads(), device)
        self.embedding_dim, self.library = self._network.embedding_dim, self._network.library

    def __call__(self, x: Tensor) -> Tensor:
        """Embeddings N×D, not L2-normalised, of crops N×3×H×W normalised as on the card.

        Raises:
            ModelError: the crops have the wrong size.
        """
        if len(x) == 0 and x.ndim == 4:
            return x.new_zeros((0, self.embedding_dim), dtype=torch.float32)
        crops = x.detach().to("cpu", torch.float32).contiguous().numpy()
        return torch.from_numpy(self._network(crops)[0]).to(x.device)
