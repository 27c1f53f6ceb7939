"""The three networks of MTCNN as ONNX graphs with the published weights, see `facepipe.detection.networks`."""

import numpy as np

from facepipe.graphs import Graph, Node, Value

_LANES = 16
"""Channels per block in ONNX Runtime's fast layout; with fewer it uses the slow one, so P-Net is padded with zeros."""
State = dict[str, np.ndarray]


def pnet_graph(weights: State) -> Graph:
    """``pixels`` N×3×H×W → ``probability`` N×2×h×w (no face, face), ``offsets`` N×4×h×w."""
    chain = _Chain(_weights_of(weights, "pnet"), ["N", 3, "H", "W"])
    chain.widen("conv1", "prelu1", "conv2")
    for layer in ("conv1", "conv2", "conv3"):
        chain.conv(layer)
        if layer == "conv1":
            chain.pool(2)
    return chain.heads("Conv", [("conv4_1", "probability"), ("conv4_2", "offsets")], ["N", None, "h", "w"])


def rnet_graph(weights: State) -> Graph:
    """``pixels`` N×3×24×24 → ``probability`` N×2, ``offsets`` N×4."""
    chain = _Chain(_weights_of(weights, "rnet"), ["N", 3, 24, 24])
    chain.conv("conv1")
    chain.pool(3)
    chain.conv("conv2")
    chain.pool(3)
    chain.conv("conv3")
    chain.dense("dense4", 3)
    return chain.heads("Gemm", [("dense5_1", "probability"), ("dense5_2", "offsets")], ["N", None])


def onet_graph(weights: State) -> Graph:
    """``pixels`` N×3×48×48 → ``probability`` N×2, ``offsets`` N×4, ``points`` N×10 (five x, then five y)."""
    chain = _Chain(_weights_of(weights, "onet"), ["N", 3, 48, 48])
    for layer, kernel in (("conv1", 3), ("conv2", 3), ("conv3", 2)):
        chain.conv(layer)
        chain.pool(kernel)
    chain.conv("conv4")
    chain.dense("dense5", 3)
    heads = [("dense6_1", "probability"), ("dense6_2", "offsets"), ("dense6_3", "points")]
    return chain.heads("Gemm", heads, ["N", None])


def _weights_of(weights: State, network: str) -> State:
    return {name[len(network) + 1 :]: values for name, values in weights.items() if name.startswith(f"{network}.")}


class _Chain:
    """Consecutive layers, each with the PReLU of the same number."""

    def __init__(self, weights: State, shape: list[int | str | None]) -> None:
        self._weights = weights
        self._nodes: list[Node] = []
        self._last = "pixels"
        self._input = Value("pixels", shape)

    def widen(self, conv: str, prelu: str, following: str) -> None:
        """Pad a convolution's output with channels of zeros up to a whole block."""
        weights = self._weights
        missing = -len(weights[f"{conv}.bias"]) % _LANES
        for name in (f"{conv}.weight", f"{conv}.bias", f"{prelu}.weight"):
            weights[name] = np.pad(weights[name], [(0, missing)] + [(0, 0)] * (weights[name].ndim - 1))
        weights[f"{following}.weight"] = np.pad(weights[f"{following}.weight"], [(0, 0), (0, missing), (0, 0), (0, 0)])

    def conv(self, layer: str) -> None:
        self._add("Conv", [f"{layer}.weight", f"{layer}.bias"], layer)
        self._prelu(layer, 3)

    def pool(self, kernel: int) -> None:
        attributes = {"kernel_shape": [kernel, kernel], "strides": [2, 2], "ceil_mode": 1}
        self._add("MaxPool", [], f"{self._last}/pool", **attributes)

    def dense(self, layer: str, side: int) -> None:
        # The published dense layers take columns, rows, channels: MATLAB's order, passed to Caffe.
        weight = self._weights[f"{layer}.weight"]
        outputs = len(weight)
        turned = weight.reshape(outputs, side, side, -1).transpose(0, 3, 2, 1)
        self._weights[f"{layer}.weight"] = np.ascontiguousarray(turned.reshape(outputs, -1))
        self._add("Flatten", [], "flat")
        self._add("Gemm", [f"{layer}.weight", f"{layer}.bias"], layer, transB=1)
        self._prelu(layer, 1)

    def heads(self, op: str, heads: list[tuple[str, str]], shape: list[int | str | None]) -> Graph:
        outputs = []
        attributes = {"transB": 1} if op == "Gemm" else {}
        for layer, name in heads:
            score = name == "probability"
            made = f"{name}/logits" if score else name
            self._nodes.append(Node(op, [self._last, f"{layer}.weight", f"{layer}.bias"], [made], dict(attributes)))
            if score:
                self._nodes.append(Node("Softmax", [made], [name], {"axis": 1}))
            outputs.append(Value(name, [shape[0], len(self._weights[f"{layer}.bias"]), *shape[2:]]))
        graph = Graph(self._nodes, dict(self._weights), [self._input], outputs)
        graph.drop_unused()
        return graph

    def _prelu(self, layer: str, dimensions: int) -> None:
        name = f"prelu{layer[-1]}.weight"
        self._weights[name] = self._weights[name].reshape(-1, *[1] * (dimensions - 1))
        self._add("PRelu", [name], f"{layer}/prelu")

    def _add(self, op: str, constants: list[str], output: str, **attributes: object) -> None:
        self._nodes.append(Node(op, [self._last, *constants], [output], dict(attributes)))
        self._last = output
