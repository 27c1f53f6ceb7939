"""What is no number in a network's output is told: a comparison would take it for a place without a face."""

import numpy as np
import pytest

from facepipe.detection import create_detector, preset
from facepipe.errors import ModelError


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
    with pytest.raises(ModelError, match=r"MTCNN gives numbers that are not finite by .*try another device"):
        detector([photo])
