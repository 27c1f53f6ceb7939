"""An ONNX embedder as a network: the same call as an ``nn.Module``, run by ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facepipe.errors import DeviceError, MissingExtraError, ModelError
from facepipe.zoo.onnx_graph import fold_dequantize, free_batch, split_prelu


class OnnxNetwork:
    """N×3×H×W float → N×D float32, on the device of the input.

    The graph must have one input N×3×H×W and one output N×D, float32. A batch size that the file fixes is
    freed. On the CPU, ONNX Runtime uses as many threads as torch does when the network is made.

    Args:
        path: of the ONNX file.
        device: ``cpu`` or ``cuda``.
        input_size: (H, W) of the crops.

    Attributes:
        embedding_dim: D.
        input_size: (H, W).

    Raises:
        MissingExtraError: onnx or onnxruntime is not installed.
        DeviceError: the device is not one that the installed ONNX Runtime has.
        ModelError: the file is damaged, or its graph is no embedder of such crops.
    """

    def __init__(self, path: Path, device: torch.device, input_size: tuple[int, int]) -> None:
        onnx, runtime = packages()
        providers = _providers(runtime, device)
        self._path = path
        self.input_size = input_size
        model = read_graph(onnx, path)
        free_batch(model)
        self._input, self._output = _ends(model, path, input_size)
        fold_dequantize(model)
        if device.type == "cpu":
            split_prelu(model)
        self._session = _session(runtime, model, providers, path)
        self.embedding_dim = self._check()

    def __call__(self, x: Tensor) -> Tensor:
        """Embeddings N×D of crops N×3×H×W, normalised as the card says; not L2-normalised.

        Raises:
            ModelError: the crops have another size.
        """
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, *self.input_size):
            shape, (height, width) = "×".join(map(str, x.shape)), self.input_size
            raise ModelError(f"{self._path}: crops must be N×3×{height}×{width}, got {shape}")
        crops = x.detach().to("cpu", torch.float32).contiguous().numpy()
        return torch.from_numpy(self._run(crops)).to(x.device)

    def _run(self, crops: np.ndarray) -> np.ndarray:
        (embeddings,) = self._session.run([self._output], {self._input: crops})
        # A copy: whoever keeps ONNX Runtime's own array keeps a hole in its arena, which then grows.
        return np.array(embeddings)

    def _check(self) -> int:
        """The embedding's length, from a run; also that a crop comes out of a batch as it does alone."""
        noise = np.random.default_rng(0).uniform(0, 255, (2, 3, *self.input_size)).astype(np.float32)
        try:
            single = self._run(noise[:1])
            both = self._run(noise)
        except Exception as error:  # ONNX Runtime's own errors have no common base
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{self._path}: this ONNX graph does not run: {reason}") from error
        if single.ndim != 2 or len(single) != 1:
            raise ModelError(f"{self._path}: the output must be N×D, one crop gives {single.shape}")
        tolerance = 1e-3 * float(np.abs(single).max())
        if len(both) != 2 or not np.allclose(both[0], single[0], rtol=0, atol=tolerance):
            raise ModelError(
                f"{self._path}: this ONNX graph is made for a batch of 1; export it with a dynamic batch axis"
            )
        return int(single.shape[1])


def packages() -> tuple[Any, Any]:
    """onnx and onnxruntime.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            f"ONNX models need the package {error.name}: pip install 'facepipe[onnx]'"
        ) from error
    return onnx, onnxruntime


def _providers(runtime: Any, device: torch.device) -> list[Any]:
    if device.type == "cpu":
        return ["CPUExecutionProvider"]
    if device.type != "cuda":
        raise DeviceError(f"--device {device}: ONNX models run on cpu or cuda only")
    if "CUDAExecutionProvider" not in runtime.get_available_providers():
        raise DeviceError(
            f"--device {device}: the installed onnxruntime has no CUDA; pip install onnxruntime-gpu in its "
            "place, or use --device cpu"
        )
    if hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()  # the CUDA libraries that torch brought
    return [("CUDAExecutionProvider", {"device_id": device.index or 0}), "CPUExecutionProvider"]


def read_graph(onnx: Any, path: Path) -> Any:
    """The ``onnx.ModelProto`` of a file.

    Raises:
        ModelError: the file cannot be read or is no ONNX file.
    """
    try:
        model = onnx.load(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot read these weights ({error.strerror or error})") from error
    except Exception as error:  # protobuf raises its own kinds, which differ between its versions
        raise ModelError(f"{path}: damaged, or no ONNX file") from error
    if not model.graph.node:
        raise ModelError(f"{path}: damaged, or no ONNX file")
    return model


def _ends(model: Any, path: Path, input_size: tuple[int, int]) -> tuple[str, str]:
    """Names of the input and the output, checked against what an embedder has."""
    inputs, outputs = list(model.graph.input), list(model.graph.output)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path}: an embedder has one input and one output, this graph {len(inputs)} and {len(outputs)}"
        )
    kind = inputs[0].type.tensor_type
    sides = [d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in kind.shape.dim]
    wanted = (3, *input_size)
    if len(sides) != 4 or any(side not in (None, want) for side, want in zip(sides[1:], wanted, strict=True)):
        declared = "×".join(str(d.dim_value or d.dim_param or "?") for d in kind.shape.dim)
        raise ModelError(f"{path}: the card says N×{'×'.join(map(str, wanted))}, the graph takes {declared}")
    if kind.elem_type != 1:
        raise ModelError(f"{path}: the graph must take float32; export it in that type")
    return inputs[0].name, outputs[0].name


def _session(runtime: Any, model: Any, providers: list[Any], path: Path) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its idle threads would otherwise spin, against torch's when detecting and embedding take turns.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=providers)
    except Exception as error:  # ONNX Runtime's own errors have no common base
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: ONNX Runtime cannot load this graph: {reason}") from error
    first = providers[0] if isinstance(providers[0], str) else providers[0][0]
    if session.get_providers()[0] != first:
        raise DeviceError(f"--device cuda: ONNX Runtime could not start CUDA for {path}; use --device cpu")
    return session
