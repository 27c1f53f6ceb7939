"""ONNX files read and written without the package onnx, which is the oracle."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from facepipe.errors import ModelError  # noqa: E402
from facepipe.graphs import Graph, Node, Value, graph_bytes, parse_graph, read_graph  # noqa: E402
from facepipe.graphs.batch_norm import fold_norms  # noqa: E402

KINDS = ["f4", "u1", "i1", "u2", "i2", "i4", "i8", "?", "f2", "f8", "u4", "u8"]


def model_of(nodes, constants=(), **given):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])], list(constants), **given,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("own", 3)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raw", [True, False])
def test_constants_of_every_type(kind, raw):
    values = np.array([[0, 1, 2], [3, 100, 1]]).astype(kind)
    tensor = numpy_helper.from_array(values, "c")
    if not raw:
        number = tensor.data_type
        tensor = helper.make_tensor("c", number, values.shape, values.flatten())
    graph = parse_graph(model_of([helper.make_node("Add", ["x", "c"], ["y"])], [tensor]).SerializeToString())
    assert graph.constants["c"].dtype == values.dtype
    np.testing.assert_array_equal(graph.constants["c"], values)
    back = onnx.load_model_from_string(graph_bytes(graph)).graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(back), values)


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=5),
        st.one_of(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False, width=32),
            st.binary(min_size=1, max_size=9),
            st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),
            st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=5),
        ),
        max_size=5,
    )
)
def test_attributes_there_and_back(given_):
    theirs = parse_graph(model_of([helper.make_node("Op", ["x"], ["y"], domain="own", **given_)]).SerializeToString())
    assert theirs.nodes[0].attributes == given_ and theirs.nodes[0].domain == "own"
    ours = onnx.load_model_from_string(graph_bytes(theirs)).graph.node[0]
    assert {a.name: helper.get_attribute_value(a) for a in ours.attribute} == given_


def test_what_is_not_understood_stays():
    inner = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "inner", [], [])
    words = helper.make_tensor("words", TensorProto.STRING, [2], [b"one", b"two"])
    nodes = [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner, strings=[b"s", b"t"])]
    model = model_of([*nodes, helper.make_node("Use", ["words"], ["z"])], [words])
    model.metadata_props.add(key="author", value="somebody")
    again = onnx.load_model_from_string(graph_bytes(parse_graph(model.SerializeToString())))
    assert again.graph.node == model.graph.node and again.graph.initializer == model.graph.initializer
    assert again.graph.input == model.graph.input and again.opset_import == model.opset_import
    assert again.metadata_props == model.metadata_props


def test_external_tensors(tmp_path):
    values = np.arange(2000, dtype=np.float32).reshape(20, 100)
    model = model_of([helper.make_node("Add", ["x", "c"], ["y"])], [numpy_helper.from_array(values, "c")])
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=16)
    np.testing.assert_array_equal(read_graph(tmp_path / "m.onnx").constants["c"], values)
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelError, match=r"m\.data cannot be read"):
        read_graph(tmp_path / "m.onnx")


def test_no_file_of_another_folder_is_read(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(8))
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "c")
    onnx.external_data_helper.set_external_data(tensor, "../secret")
    tensor.ClearField("raw_data")
    (tmp_path / "in").mkdir()
    data = model_of([helper.make_node("Add", ["x", "c"], ["y"])], [tensor]).SerializeToString()
    (tmp_path / "in" / "m.onnx").write_bytes(data)
    with pytest.raises(ModelError, match="damaged, or not an ONNX file"):
        read_graph(tmp_path / "in" / "m.onnx")


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damage_is_one_error(data):
    tensor = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(3, 4), "c")
    whole = bytearray(model_of([helper.make_node("Add", ["x", "c"], ["y"], axis=1)], [tensor]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    with suppress(KeyError, ValueError, TypeError, OverflowError):  # what `read_graph` turns into its one line
        parse_graph(bytes(cut))


def test_batch_norm_stays_where_another_reads_its_input():
    rng = np.random.default_rng(0)
    constants = {name: rng.uniform(1, 2, 4).astype(np.float32) for name in ("gain", "shift", "mean", "variance")}
    constants["w"] = rng.normal(size=(4, 3, 1, 1)).astype(np.float32)
    nodes = [
        Node("Conv", ["x", "w"], ["c"]),
        Node("BatchNormalization", ["c", "gain", "shift", "mean", "variance"], ["n"]),
        Node("Add", ["c", "n"], ["y"]),
    ]
    graph = Graph(nodes, constants, [Value("x", ["N", 3, 2, 2])], [Value("y", None)])
    fold_norms(graph)
    assert [node.op for node in graph.nodes] == ["Conv", "BatchNormalization", "Add"]
