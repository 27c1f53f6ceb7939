"""ONNX embedders: each graph step against the onnx package's reference evaluator, and the real SFace."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from facepipe.errors import DeviceError, ModelError

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from facepipe.graphs import graph_bytes, parse_graph  # noqa: E402
from facepipe.graphs.batch import free_batch  # noqa: E402
from facepipe.graphs.batch_norm import fold_norms  # noqa: E402
from facepipe.graphs.constants import dequantize, fold_constants  # noqa: E402
from facepipe.graphs.prelu import split_prelu  # noqa: E402
from facepipe.zoo import Input, find_card, import_foreign, load  # noqa: E402
from facepipe.zoo.onnx_ends import OnnxEnds  # noqa: E402
from facepipe.zoo.onnx_layers import OnnxLayers  # noqa: E402
from facepipe.zoo.onnx_network import OnnxNetwork  # noqa: E402

CPU = torch.device("cpu")
SIZE = (8, 6)


def tiny(batch=1, end="flatten", size=SIZE, kind=TensorProto.FLOAT, classes=5):
    """Conv (block-quantised) → BatchNorm → PReLU → flat → Gemm, as SFace is written, in small."""
    rng = np.random.default_rng(0)
    constants = {
        "q": rng.integers(-127, 127, (4, 27)).astype(np.int8),
        "q_scale": rng.uniform(0.001, 0.01, (4, 3)).astype(np.float32),
        "q_zero": rng.integers(-3, 3, (4, 3)).astype(np.int8),
        "q_shape": np.array([4, 3, 3, 3]),
        "gamma": rng.uniform(0.5, 2, 4).astype(np.float32),
        "beta": rng.normal(size=4).astype(np.float32),
        "mean": rng.normal(size=4).astype(np.float32),
        "var": rng.uniform(0.5, 2, 4).astype(np.float32),
        "slope": rng.uniform(-0.5, 1.5, (4, 1, 1)).astype(np.float32),
        "fc": rng.normal(size=(classes, 4 * size[0] * size[1])).astype(np.float32),
        "fc_bias": rng.normal(size=classes).astype(np.float32),
        "flat_shape": np.array([1, 4 * size[0] * size[1]]),
        "whole_shape": np.array([-1]),
    }
    flat = {
        "flatten": [helper.make_node("Flatten", ["y"], ["flat"])],
        "reshape": [helper.make_node("Reshape", ["y", "flat_shape"], ["flat"])],
        # Mixes the rows of a batch: such a graph cannot be freed.
        "sum": [
            helper.make_node("ReduceSum", ["y", "axis"], ["summed"], keepdims=1),
            helper.make_node("Add", ["y", "summed"], ["both"]),
            helper.make_node("Flatten", ["both"], ["flat"]),
        ],
    }[end]
    constants["axis"] = np.array([0])
    statistics = ("gamma", "beta", "mean", "var")
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "q_scale", "q_zero"], ["w"], axis=1, block_size=9),
        helper.make_node("Reshape", ["w", "q_shape"], ["weight"]),
        helper.make_node("Conv", ["x", "weight"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["conv", *statistics], ["bn"], epsilon=1e-3),
        helper.make_node("PRelu", ["bn", "slope"], ["y"]),
        *flat,
        helper.make_node("Gemm", ["flat", "fc", "fc_bias"], ["out"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("x", kind, [batch, 3, *size]),
            helper.make_tensor_value_info("slope", TensorProto.FLOAT, [4, 1, 1]),  # also an initializer
            helper.make_tensor_value_info("unused", TensorProto.FLOAT, [3]),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
        value_info=[helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4, *size])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def reference(crops, **options):
    """Row by row, from the graph as it was written, in NumPy."""
    evaluator = ReferenceEvaluator(tiny(**options))
    return np.concatenate(
        [evaluator.run(None, {"x": row[None], "unused": np.zeros(3, np.float32)})[0] for row in crops]
    )


@pytest.fixture
def crops():
    return np.random.default_rng(1).normal(size=(5, 3, *SIZE)).astype(np.float32)


@pytest.fixture
def save(tmp_path):
    def save(model):
        onnx.save(model, tmp_path / "tiny.onnx")
        return tmp_path / "tiny.onnx"

    return save


@pytest.mark.parametrize("end", ["flatten", "reshape"])
@pytest.mark.parametrize("batch", [1, "n"])
def test_batches_come_out_as_the_reference_does(save, crops, end, batch):
    network = OnnxNetwork(save(tiny(batch, end)), CPU, SIZE)
    out = network(torch.from_numpy(crops))
    assert network.embedding_dim == 5 and out.dtype == torch.float32
    np.testing.assert_allclose(out.numpy(), reference(crops, end=end), rtol=1e-4, atol=1e-4)


def test_other_layouts_and_types(save, crops):
    network = OnnxNetwork(save(tiny()), CPU, SIZE)
    x = torch.from_numpy(crops)
    assert torch.equal(network(x.contiguous(memory_format=torch.channels_last)), network(x))
    assert torch.allclose(network(x.double()), network(x))
    assert network(x[:0]).shape == (0, 5)
    with pytest.raises(ModelError, match=r"crops must be N×3×8×6, got 5×3×6×8"):
        network(x.transpose(2, 3))


def test_free_batch():
    graph = parse_graph(tiny().SerializeToString())
    free_batch(graph)
    assert [value.name for value in graph.inputs] == ["x"]
    assert all(value.shape[0] == "N" for value in (*graph.inputs, *graph.outputs))
    assert not onnx.load_model_from_string(graph_bytes(graph)).graph.value_info


def test_lower_layers_are_those_of_the_reference(save, crops):
    model = tiny()
    prelu = next(node for node in model.graph.node if node.op_type == "PRelu")
    whole = tiny()
    whole.graph.output.append(helper.make_tensor_value_info(prelu.output[0], TensorProto.FLOAT, None))
    evaluator = ReferenceEvaluator(whole)
    given = np.zeros(3, np.float32)
    expected = [evaluator.run(None, {"x": row[None], "unused": given})[1] for row in crops]
    layers = OnnxLayers(save(model), 1, 1)
    np.testing.assert_allclose(layers(crops), np.concatenate(expected), rtol=1e-4, atol=1e-4)
    with pytest.raises(ModelError, match="1 PReLUs, not 2"):
        OnnxLayers(save(tiny()), 2, 1)


@pytest.mark.parametrize("end", ["flatten", "reshape"])
def test_each_step_keeps_what_is_computed(crops, end):
    expected = reference(crops[:1], end=end)
    graph = parse_graph(tiny(end=end).SerializeToString())
    for step in (free_batch, fold_constants, fold_norms, split_prelu):
        step(graph)
        model = onnx.load_model_from_string(graph_bytes(graph))
        got = ReferenceEvaluator(model).run(None, {"x": crops[:1]})[0]
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
        onnx.checker.check_model(model)
    kinds = [node.op for node in graph.nodes]
    assert not {"DequantizeLinear", "PRelu", "BatchNormalization"} & set(kinds) and kinds.count("Reshape") <= 1


@pytest.mark.parametrize(
    ("shape", "scale_shape", "axis", "block"),
    [((4, 27), (4, 3), 1, 9), ((4, 27), (4, 4), 1, 8), ((12, 5), (3, 5), 0, 4), ((6, 4), (6,), 0, 0),
     ((6, 4), (4,), 1, 0), ((6, 4), (), 1, 0), ((2, 6, 3), (2, 3, 3), -2, 2)],
)  # fmt: skip
@pytest.mark.parametrize("with_zero", [False, True])
def test_dequantize_longhand(shape, scale_shape, axis, block, with_zero):
    rng = np.random.default_rng(0)
    quantized = rng.integers(-128, 127, shape).astype(np.int8)
    scale = rng.uniform(0.1, 1, scale_shape).astype(np.float32)
    zero = rng.integers(-9, 9, scale_shape).astype(np.int8) if with_zero else None
    got = dequantize(quantized, scale, zero, axis=axis, block=block)
    assert got.shape == shape and got.dtype == np.float32
    for index in np.ndindex(*shape):
        place = list(index)
        if block:
            place[axis] //= block
        else:
            place = [place[axis]] if scale_shape else []
        offset = 0 if zero is None else int(zero[tuple(place)])
        expected = np.float32(int(quantized[index]) - offset) * scale[tuple(place)]
        assert got[index] == expected


def test_graph_that_mixes_rows_is_refused(save):
    with pytest.raises(ModelError, match="supports only a batch of 1; export it with a dynamic batch axis"):
        OnnxNetwork(save(tiny(end="sum")), CPU, SIZE)


def test_foreign_graphs(save, tmp_path):
    with pytest.raises(ModelError, match=r"the card says N×3×112×96, but the graph takes x .N×3×8×6."):
        OnnxNetwork(save(tiny()), CPU, (112, 96))
    with pytest.raises(ModelError, match="must be float32"):
        OnnxNetwork(save(tiny(kind=TensorProto.DOUBLE)), CPU, SIZE)
    two = tiny()
    two.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, *SIZE]))
    with pytest.raises(ModelError, match=r"one input and one output, but this graph has inputs .*--output NAME"):
        OnnxNetwork(save(two), CPU, SIZE)
    maps = tiny()
    maps.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, *SIZE]))
    with pytest.raises(ModelError, match=r"the output must be N×D"):
        OnnxNetwork(save(maps), CPU, SIZE)


@pytest.mark.parametrize("data", [b"", b"not an onnx file", bytes(100)])
def test_damaged(tmp_path, data):
    (tmp_path / "x.onnx").write_bytes(data)
    with pytest.raises(ModelError, match=r"x\.onnx: damaged, or not an ONNX file"):
        OnnxNetwork(tmp_path / "x.onnx", CPU, SIZE)


def test_truncated(save):
    path = save(tiny())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"tiny\.onnx: ") as caught:
        OnnxNetwork(path, CPU, SIZE)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"no\.onnx: cannot read these weights"):
        OnnxNetwork(tmp_path / "no.onnx", CPU, SIZE)


def test_without_onnx_runtime_opencv_gives_the_same(save, crops, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    network = OnnxNetwork(save(tiny()), CPU, SIZE)
    assert network.library == "opencv"
    np.testing.assert_allclose(network(torch.from_numpy(crops)).numpy(), reference(crops), rtol=1e-4, atol=1e-4)
    with pytest.raises(DeviceError, match="OpenCV's dnn runs ONNX graphs on the CPU only"):
        OnnxNetwork(save(tiny()), torch.device("cuda", 0), SIZE)


def test_devices(save, monkeypatch):
    path = save(tiny())
    with pytest.raises(DeviceError, match="cpu or cuda only"):
        OnnxNetwork(path, torch.device("mps"), SIZE)
    monkeypatch.setattr(runtime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match="has no CUDA; pip install onnxruntime-gpu"):
        OnnxNetwork(path, torch.device("cuda", 1), SIZE)


def test_import_of_a_foreign_graph(save, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    path = save(tiny(size=(112, 96), classes=3))
    square = Input(size=(112, 96), template="112x96", channels="rgb", mean=0.0, scale=255.0)
    card = import_foreign("tiny", path, backbone=None, input=square, flip="sum")
    assert (card.embedding.dim, card.weights.format, card.backbone) == (3, "onnx", None)
    model = load("tiny")
    assert model.is_onnx and model.network(torch.zeros(2, 3, 112, 96)).shape == (2, 3)
    with pytest.raises(ModelError, match="includes its network"):
        import_foreign("other", path, backbone="sphereface4", input=square)
    with pytest.raises(ModelError, match="embeddings have 3 dimensions, not 4"):
        import_foreign("other", path, backbone=None, input=square, embedding_dim=4)


def test_sface_as_published(shared):
    """Against the published graph itself: single crops, all its idle inputs fed."""
    path = shared / "weights" / find_card("sface").weights.file
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    published = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    idle = {i.name: np.zeros(i.shape, np.float32) for i in published.get_inputs() if i.name != "data"}
    assert len(idle) == 29
    crops = np.random.default_rng(0).uniform(0, 255, (3, 3, 112, 112)).astype(np.float32)
    expected = np.concatenate([published.run(None, {"data": row[None], **idle})[0] for row in crops])
    network = OnnxNetwork(path, CPU, (112, 112))
    got = network(torch.from_numpy(crops)).numpy()
    assert network.embedding_dim == 128
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5)


FEED = Input(size=SIZE, template="112x96", channels="rgb", mean=0, scale=1)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def brought(path, crops, **more):
    import_foreign("mine", path, backbone=None, input=FEED, **more)
    return load("mine").network(torch.from_numpy(crops)).numpy()


def in_two_files(tmp_path):
    path = tmp_path / "two" / "tiny.onnx"
    path.parent.mkdir()
    onnx.save(tiny("n"), path, save_as_external_data=True, location="tiny.onnx.data", size_threshold=0)
    return path


def test_external_tensors(tmp_path, own_cache, crops):
    path = in_two_files(tmp_path)
    np.testing.assert_allclose(brought(path, crops), reference(crops), rtol=1e-4, atol=1e-4)
    shutil.rmtree(path.parent)
    again = load("mine").network(torch.from_numpy(crops)).numpy()
    np.testing.assert_allclose(again, reference(crops), rtol=1e-4, atol=1e-4)


def no_memory(*_, **__):
    raise MemoryError


def test_a_missing_or_short_external_file_is_named(tmp_path, own_cache, crops, monkeypatch):
    path = in_two_files(tmp_path)
    beside = path.with_name("tiny.onnx.data")
    data = beside.read_bytes()
    beside.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match=r"tiny\.onnx\.data: truncated: not all tensors are there"):
        brought(path, crops)
    beside.write_bytes(b"")
    with monkeypatch.context() as patched, pytest.raises(ModelError, match="truncated: not all tensors are there"):
        patched.setattr(np, "fromfile", no_memory)  # which takes what the graph claims
        brought(path, crops)
    beside.unlink()
    with pytest.raises(ModelError, match=r"tiny\.onnx: its tensors are in tiny\.onnx\.data, but .*; put both"):
        brought(path, crops)
    assert not own_cache.exists()


def test_an_output_of_several(save, own_cache, crops):
    two = tiny()
    name = two.graph.output[0].name
    two.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, *SIZE]))
    path = save(two)
    with pytest.raises(ModelError, match=f"outputs {name} .*, y .*; choose the embedding"):
        brought(path, crops)
    with pytest.raises(ModelError, match=f"no output 'z'; it has {name}"):
        brought(path, crops, ends=OnnxEnds(output="z"))
    np.testing.assert_allclose(brought(path, crops, ends=OnnxEnds(output=name)), reference(crops), rtol=1e-4, atol=1e-4)


def test_colours_last(save, own_cache, crops):
    last = tiny("n")
    taken = last.graph.input[0]
    inner = "colours_first"
    for node in last.graph.node:
        node.input[:] = [inner if name == taken.name else name for name in node.input]
    last.graph.node.insert(0, helper.make_node("Transpose", [taken.name], [inner], perm=[0, 3, 1, 2]))
    taken.CopyFrom(helper.make_tensor_value_info(taken.name, TensorProto.FLOAT, ["n", *SIZE, 3]))
    path = save(last)
    with pytest.raises(ModelError, match=r"the graph takes x .N×8×6×3.; it takes channels last: .*--layout nhwc"):
        brought(path, crops)
    np.testing.assert_allclose(brought(path, crops, ends=OnnxEnds("nhwc")), reference(crops), rtol=1e-4, atol=1e-4)


def test_a_graph_with_weights_that_are_not_finite(save, own_cache, crops):
    wrong = tiny()
    tensor = next(tensor for tensor in wrong.graph.initializer if tensor.name == "gamma")
    tensor.CopyFrom(numpy_helper.from_array(np.full(4, np.nan, np.float32), "gamma"))
    with pytest.raises(ModelError, match="NaN or infinite values in 1 tensor, such as gamma"):
        brought(save(wrong), crops)


def test_onnx_runtime_is_imported_without_telemetry():
    """In a process of its own, before anything has imported it."""
    pytest.importorskip("onnxruntime")
    script = (
        "import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None)\n"
        "import builtins; usual = builtins.__import__\n"
        "def seen(name, *rest, **more):\n"
        "    if name == 'onnxruntime': print(os.environ.get('ORT_DISABLE_TELEMETRY')); raise SystemExit\n"
        "    return usual(name, *rest, **more)\n"
        "builtins.__import__ = seen\n"
        "from facepipe import compare\n"
        "import numpy as np\n"
        "compare(np.zeros((200, 200, 3), np.uint8), np.zeros((200, 200, 3), np.uint8))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "1\n"


def test_a_graph_that_fails_when_it_runs_prints_nothing_else(tmp_path, own_cache, capfd):
    """ONNX Runtime would print the error, too."""
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [-1, 7])
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]  # of 144 numbers an image
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)
        for name, sides in (("x", ["n", 3, 8, 6]), ("y", ["n", 7]))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [shape])
    path = tmp_path / "odd.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())
    with pytest.raises(ModelError, match=r"odd\.onnx: this ONNX graph does not run"):
        import_foreign("mine", path, backbone=None, input=FEED)
    assert capfd.readouterr().err == ""
