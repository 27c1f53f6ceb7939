"""Convert a PyTorch network to an ONNX graph, operation by operation from `torch.export`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from facepipe.errors import ModelError
from facepipe.graphs import Graph, Node, Value


def graph_of(module: nn.Module, inputs: torch.Tensor, names: Sequence[str]) -> Graph:
    """The graph of a network, with constants named as in the module.

    Args:
        module: in evaluation mode; returns a tensor or a tuple of tensors, N×... each.
        inputs: an example input, N×..., N at least 2; in the graph N is dynamic, the other sizes are fixed.
        names: names of the outputs.

    Raises:
        ModelError: one of its operations is not supported.
    """
    with torch.no_grad():
        program = torch.export.export(module, (inputs,), dynamic_shapes=({0: torch.export.Dim("N", min=1)},))
    return _Translation(program, list(names)).graph


class _Translation:
    def __init__(self, program: Any, names: list[str]) -> None:
        self.graph = Graph([], {}, [], [])
        self._names: dict[Any, str] = {}
        signature = program.graph_signature
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        held |= signature.inputs_to_lifted_tensor_constants
        for node in program.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node, held, program)
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                for result, name in zip(node.args[0], names, strict=True):
                    self._output(result, name)
        self.graph.drop_unused()

    def _placeholder(self, node: Any, held: dict[str, str], program: Any) -> None:
        if node.name not in held:
            self._names[node] = "pixels"
            self.graph.inputs.append(Value("pixels", _shape(node)))
            return
        name = held[node.name]
        tensor = program.state_dict.get(name, program.constants.get(name))
        self._names[node] = name
        self.graph.constants[name] = tensor.detach().cpu().numpy()

    def _call(self, node: Any) -> None:
        operation = str(node.target)
        if operation in _PASSED:
            self._names[node] = self._names[node.args[0]]
        elif operation in _OPERATIONS:
            _OPERATIONS[operation](self, node, *node.args, **node.kwargs)
        elif operation not in _IGNORED:
            raise ModelError(f"{operation} is not supported by facepipe's ONNX export; write it in another way")

    def _output(self, node: Any, name: str) -> None:
        self.graph.nodes.append(Node("Identity", [self._names[node]], [name]))
        self.graph.outputs.append(Value(name, _shape(node)))

    def add(self, node: Any, op: str, inputs: list[Any], **attributes: Any) -> None:
        """Add an operation whose result is named like ``node``."""
        self._names[node] = node.name
        self.graph.nodes.append(Node(op, [self.name(one, node) for one in inputs], [node.name], attributes))

    def step(self, node: Any, op: str, inputs: list[Any], **attributes: Any) -> str:
        """Add an intermediate operation of ``node``; returns the name of its result."""
        result = f"{node.name}/{len(self.graph.nodes)}"
        self.graph.nodes.append(Node(op, [self.name(one, node) for one in inputs], [result], attributes))
        return result

    def name(self, value: Any, node: Any) -> str:
        """The name of a tensor, number or array; names are returned unchanged."""
        if isinstance(value, str):
            return value
        if isinstance(value, float | int):
            value = np.float32(value)
        if not isinstance(value, np.ndarray | np.float32):
            return self._names[value]
        constant = f"{node.name}/constant{len(self.graph.constants)}"
        self.graph.constants[constant] = np.asarray(value)
        return constant

    def reshaped(self, value: Any, shape: tuple[int, ...]) -> str:
        """Reshape a constant; returns its name."""
        name = self._names[value]
        self.graph.constants[name] = self.graph.constants[name].reshape(shape)  # type: ignore[union-attr]
        return name


def _shape(node: Any) -> list[int | str | None]:
    sides: list[int | str | None] = list(node.meta["val"].shape)
    return ["N", *(int(side) for side in sides[1:] if side is not None)]


def _conv(
    t: _Translation, node: Any, x: Any, weight: Any, bias: Any = None,
    stride: Any = (1, 1), padding: Any = (0, 0), dilation: Any = (1, 1), groups: int = 1,
) -> None:  # fmt: skip
    inputs = [x, weight] + ([] if bias is None else [bias])
    t.add(node, "Conv", inputs, strides=list(stride), pads=[*padding, *padding], dilations=list(dilation), group=groups)


def _batch_norm(
    t: _Translation, node: Any, x: Any, weight: Any, bias: Any, mean: Any, variance: Any, _training: bool,
    _momentum: float, eps: float, _cudnn: bool,
) -> None:  # fmt: skip
    channels = int(mean.meta["val"].shape[0])
    gain = np.ones(channels, np.float32) if weight is None else weight
    shift = np.zeros(channels, np.float32) if bias is None else bias
    t.add(node, "BatchNormalization", [x, gain, shift, mean, variance], epsilon=float(eps))


def _prelu(t: _Translation, node: Any, x: Any, slope: Any) -> None:
    spatial = len(x.meta["val"].shape) - 2
    t.add(node, "PRelu", [x, t.reshaped(slope, (-1, *[1] * spatial))])


def _linear(t: _Translation, node: Any, x: Any, weight: Any, bias: Any = None) -> None:
    if len(x.meta["val"].shape) != 2:
        raise ModelError("a dense layer on more than two axes is not supported by facepipe's ONNX export")
    t.add(node, "Gemm", [x, weight] + ([] if bias is None else [bias]), transB=1)


def _flatten(t: _Translation, node: Any, x: Any, start: int = 0, end: int = -1) -> None:
    if end != -1 or start < 1:
        raise ModelError("flattening these axes is not supported by facepipe's ONNX export")
    if start == 1:
        t.add(node, "Flatten", [x], axis=1)
    else:
        t.add(node, "Reshape", [x, np.array([0] * start + [-1], np.int64)])


def _reduced(op: str) -> Callable[..., None]:
    def reduce(t: _Translation, node: Any, x: Any, axes: Any, keep: bool = False) -> None:
        t.add(node, op, [x], axes=list(axes), keepdims=int(keep))

    return reduce


def _plain(op: str) -> Callable[..., None]:
    def enter(t: _Translation, node: Any, *inputs: Any, **options: Any) -> None:
        if options:
            raise ModelError(f"{op} with {', '.join(options)} is not supported by facepipe's ONNX export")
        t.add(node, op, list(inputs))

    return enter


def _square(t: _Translation, node: Any, x: Any) -> None:
    t.add(node, "Mul", [x, x])


def _concat(t: _Translation, node: Any, parts: Any, axis: int = 0) -> None:
    t.add(node, "Concat", list(parts), axis=axis)


def _unsqueeze(t: _Translation, node: Any, x: Any, axis: int) -> None:
    t.add(node, "Unsqueeze", [x, np.array([axis], np.int64)])


def _logaddexp(t: _Translation, node: Any, a: Any, b: Any) -> None:
    # log(eᵃ + eᵇ) = b + log(1 + eᵃ⁻ᵇ), which does not overflow.
    t.add(node, "Add", [b, t.step(node, "Softplus", [t.step(node, "Sub", [a, b])])])


def _max_pool(
    t: _Translation, node: Any, x: Any, kernel: Any, stride: Any = (), padding: Any = (0, 0),
    dilation: Any = (1, 1), ceil: bool = False,
) -> None:  # fmt: skip
    pads, steps = [*padding, *padding] if len(padding) == 2 else list(padding) * 4, list(stride or kernel)
    t.add(
        node, "MaxPool", [x], kernel_shape=list(kernel), strides=steps, pads=pads, dilations=list(dilation),
        ceil_mode=int(ceil),
    )  # fmt: skip


def _pad(t: _Translation, node: Any, x: Any, pads: Any, mode: str = "constant", value: float | None = None) -> None:
    if mode != "constant" or value:
        raise ModelError(f"padding with {value or mode} is not supported by facepipe's ONNX export")
    axes = len(x.meta["val"].shape)
    pairs = [(0, 0)] * (axes - len(pads) // 2) + [tuple(pads[at : at + 2]) for at in range(len(pads) - 2, -1, -2)]
    ends = [begin for begin, _ in pairs] + [end for _, end in pairs]
    t.add(node, "Pad", [x, np.array(ends, np.int64)])


def _cast(t: _Translation, node: Any, x: Any, dtype: Any, *_: Any) -> None:
    if dtype != torch.float32:
        raise ModelError(f"dtype {dtype} is not supported by facepipe's ONNX export")
    t.add(node, "Identity", [x])


_OPERATIONS: dict[str, Callable[..., None]] = {
    "aten.add.Tensor": _plain("Add"),
    "aten.amax.default": _reduced("ReduceMax"),
    "aten.batch_norm.default": _batch_norm,
    "aten.cat.default": _concat,
    "aten.conv2d.default": _conv,
    "aten.div.Tensor": _plain("Div"),
    "aten.exp.default": _plain("Exp"),
    "aten.flatten.using_ints": _flatten,
    "aten.linear.default": _linear,
    "aten.logaddexp.default": _logaddexp,
    "aten.max_pool2d.default": _max_pool,
    "aten.mean.dim": _reduced("ReduceMean"),
    "aten.mul.Tensor": _plain("Mul"),
    "aten.neg.default": _plain("Neg"),
    "aten.pad.default": _pad,
    "aten.prelu.default": _prelu,
    "aten.relu.default": _plain("Relu"),
    "aten.sigmoid.default": _plain("Sigmoid"),
    "aten.sqrt.default": _plain("Sqrt"),
    "aten.square.default": _square,
    "aten.sub.Tensor": _plain("Sub"),
    "aten.to.dtype": _cast,
    "aten.unsqueeze.default": _unsqueeze,
}
_PASSED = {"aten.lift_fresh_copy.default", "aten.detach_.default", "aten.detach.default", "aten.dropout.default"}
_IGNORED = {"aten._assert_tensor_metadata.default"}
