"""PReLU's own backward pass against PyTorch's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from facepipe.backbones.prelu import PReLU


def _gradients(kind, x, slope, weight):
    layer = kind(len(slope)).to(x.dtype)
    layer.weight.data.copy_(slope)
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    out = layer(x)
    return out, *torch.autograd.grad((out * weight).sum(), [x, layer.weight])


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(2, 70), st.integers(1, 9), st.integers(1, 9)),
    layout=st.sampled_from([torch.channels_last, torch.contiguous_format]),
    seed=st.integers(0, 1000),
)
def test_as_pytorch(shape, layout, seed):
    generator = torch.Generator().manual_seed(seed)
    # Whole numbers, so that zero, where the slope is a matter of convention, is among them.
    x = torch.randint(-3, 4, shape, generator=generator).double().contiguous(memory_format=layout)
    weight = torch.randn(shape, generator=generator).double()
    slope = torch.randn(shape[1], generator=generator).double()
    for ours, theirs in zip(_gradients(PReLU, x, slope, weight), _gradients(nn.PReLU, x, slope, weight), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_over_several_pieces():
    x = torch.randn(3, 40, 56, 48).contiguous(memory_format=torch.channels_last)
    weight, slope = torch.randn_like(x), torch.rand(40)
    for ours, theirs in zip(_gradients(PReLU, x, slope, weight), _gradients(nn.PReLU, x, slope, weight), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


def test_gradcheck():
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradcheck(PReLU(3).double(), (x,))


@pytest.mark.parametrize("shape", [(4, 8), (8, 3), (2, 8, 5)])
def test_other_shapes_as_pytorch(shape):
    x = torch.randn(shape)
    assert torch.equal(PReLU(shape[1])(x), nn.PReLU(shape[1])(x))


def test_eval_and_names():
    assert list(PReLU(4).state_dict()) == list(nn.PReLU(4).state_dict())
    with torch.inference_mode():
        assert PReLU(2)(torch.tensor([[-4.0, 4.0]])).tolist() == [[-1.0, 4.0]]
