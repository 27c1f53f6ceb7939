"""What is no number in a network's output is told: a comparison would take it for a place without a face."""

import numpy as np
import pytest

from facepipe.detection import create_detector, preset
from facepipe.detection.yunet import YuNet
from facepipe.errors import ModelError
from facepipe.graphs import graph_bytes, read_graph


def spoilt(network, output):
    """The network, whose ``output`` (by number) has one entry that is none."""

    def run(x):
        values = [one.clone() if hasattr(one, "clone") else one.copy() for one in network(x)]
        values[output].reshape(-1)[0] = np.nan
        return tuple(values)

    return run


@pytest.mark.parametrize("engine", ["torch", "onnx"])
@pytest.mark.parametrize("name", ["sphereface", "sphereface-matlab"])
@pytest.mark.parametrize(("stage", "output"), [("pnet", 0), ("rnet", 0), ("rnet", 1), ("onet", 0), ("onet", 2)])
def test_a_detector_that_gives_no_numbers(astronaut, monkeypatch, engine, name, stage, output):
    detector = create_detector(preset(name), "cpu", engine)
    photo = np.ascontiguousarray(astronaut[:160, 140:300])
    assert len(detector([photo])[0]) == 1
    inner = vars(detector).get("_detector", detector)
    monkeypatch.setattr(inner._stages, stage, spoilt(getattr(inner._stages, stage), output))
    with pytest.raises(ModelError, match=r"MTCNN returns non-finite numbers with .*try another device"):
        detector([photo])


class Answers:
    """In the place of OpenCV's detector: a face, with one number that is none."""

    def __init__(self, place, value):
        self.rows = np.array([[20, 30, 60, 70, *range(30, 40), 0.9]], np.float32)
        self.rows[0, place] = value

    def setInputSize(self, size):  # noqa: N802
        pass

    def detect(self, image):
        return 1, self.rows


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 3, 7, 14])
def test_yunet_that_gives_no_numbers(yunet_weights, place, value):
    yunet = YuNet(yunet_weights)
    yunet._network = Answers(0, 20)
    assert len(yunet([np.zeros((160, 160, 3), np.uint8)])[0]) == 1
    yunet._network = Answers(place, value)
    with pytest.raises(ModelError, match=r"YuNet returns non-finite numbers with OpenCV .*try another detector"):
        yunet([np.zeros((160, 160, 3), np.uint8)])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_yunet_of_weights_that_are_no_numbers(yunet_weights, tmp_path, value):
    """OpenCV takes scores that are none for 0, a place without a face: nobody would notice."""
    graph = read_graph(yunet_weights)
    first = next(name for name, one in graph.constants.items() if one.dtype == np.float32 and one.size > 1)
    graph.constants[first] = graph.constants[first].copy()
    graph.constants[first].reshape(-1)[0] = value
    (tmp_path / "net.onnx").write_bytes(graph_bytes(graph))
    with pytest.raises(ModelError, match=r"net\.onnx: holds weights that are not finite numbers; pull it again"):
        YuNet(tmp_path / "net.onnx")
