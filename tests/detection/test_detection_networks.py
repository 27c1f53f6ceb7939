"""P-, R- and O-Net against facenet-pytorch's own."""

import re

import pytest
import torch
from facenet_pytorch.models import mtcnn as peer
from safetensors.torch import load_file

from facepipe.detection.networks import load_networks
from facepipe.errors import ModelError
from facepipe.weights import detector_weights


@pytest.fixture(scope="module")
def networks():
    return load_networks(torch.device("cpu"))


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape))) * 2 - 1


def assert_close(ours, theirs):
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 12, 12), (2, 13, 12), (3, 12, 13), (1, 37, 51), (4, 50, 38), (2, 301, 17)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pnet_for_odd_and_even_sizes(networks, shape, layout):
    x = noise(shape[0], 3, *shape[1:])
    probability, offsets = networks[0](x.to(memory_format=layout))
    their_offsets, their_probability = peer.PNet()(x)
    assert_close(probability, their_probability[:, 1])
    assert_close(offsets, their_offsets)


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 7, 32])
def test_rnet(networks, count):
    x = noise(count, 3, 24, 24)
    probability, offsets = networks[1](x.to(memory_format=torch.channels_last))
    their_offsets, their_probability = peer.RNet()(x)
    assert_close(probability, their_probability[:, 1])
    assert_close(offsets, their_offsets)


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 7, 32])
def test_onet(networks, count):
    x = noise(count, 3, 48, 48)
    probability, offsets, landmarks = networks[2](x.to(memory_format=torch.channels_last))
    their_offsets, their_landmarks, their_probability = peer.ONet()(x)
    assert_close(probability, their_probability[:, 1])
    assert_close(offsets, their_offsets)
    assert_close(landmarks, their_landmarks)


@torch.no_grad()
def test_no_candidates_give_no_answers(networks):
    probability, offsets = networks[1](noise(0, 3, 24, 24))
    assert probability.shape == (0,) and offsets.shape == (0, 4)
    probability, offsets, landmarks = networks[2](noise(0, 3, 48, 48))
    assert probability.shape == (0,) and offsets.shape == (0, 4) and landmarks.shape == (0, 10)


def test_networks_are_ready_for_inference(networks):
    for network in networks:
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_shipped_weights_are_those_of_facenet_pytorch_to_the_bit():
    shipped = load_file(detector_weights("mtcnn"))
    theirs = {}
    for network in (peer.PNet(), peer.RNet(), peer.ONet()):
        own = type(network).__name__.lower()
        theirs |= {f"{own}.{name}": values for name, values in network.state_dict().items()}
    assert shipped.keys() == theirs.keys()
    assert all(torch.equal(shipped[name], values) for name, values in theirs.items())


def test_the_wheel_carries_the_notice_of_those_who_made_them():
    from facepipe.shipped import shipped

    notice = shipped("models", "weights", "LICENSE-MIT-mtcnn.txt").read_text()
    for maker in ("Kaipeng Zhang", "David Sandberg", "Timothy Esler"):
        assert f"Copyright (c) {maker}" in re.sub(r"20\d\d ", "", notice)
    assert "Permission is hereby granted, free of charge" in notice


@pytest.fixture
def weights_file(tmp_path, monkeypatch):
    """Where MTCNN's weights are looked for; nothing is there yet."""
    path = tmp_path / "mtcnn.safetensors"
    monkeypatch.setattr("facepipe.weights.weights_path", lambda sha256, file: path)
    return path


def test_damaged_weights_are_one_error_that_names_the_file(weights_file):
    weights_file.write_bytes(b"not weights")
    with pytest.raises(ModelError, match=r"mtcnn\.safetensors: damaged or replaced.*reinstall facepipe"):
        load_networks(torch.device("cpu"))


def test_missing_weights_are_one_error_that_says_what_to_do(weights_file):
    with pytest.raises(ModelError, match="its shipped weights are missing; reinstall facepipe"):
        load_networks(torch.device("cpu"))
