"""MobileFaceNet: Table 1 of the paper, the published checkpoint, and a bottleneck longhand."""

import pytest
import torch
import torch.nn.functional as F

from facepipe import backbones


def longhand_count(kernel: int, dim: int) -> int:
    def norm_prelu(channels):
        return 3 * channels

    total = 3 * 64 * 9 + norm_prelu(64) + 64 * 9 + norm_prelu(64)
    rows = [(64, 2, 64)] * 5 + [(64, 4, 128)] + [(128, 2, 128)] * 6 + [(128, 4, 128)] + [(128, 2, 128)] * 2
    for inputs, expansion, outputs in rows:
        inner = inputs * expansion
        total += inputs * inner + norm_prelu(inner) + inner * 9 + norm_prelu(inner)
        total += inner * outputs + 2 * outputs
    total += 128 * 512 + norm_prelu(512)
    return total + 512 * kernel + 2 * 512 + 512 * dim + 2 * dim


def test_parameter_count():
    assert backbones.describe("mobilefacenet").parameters == longhand_count(7 * 6, 128) == 999_552
    with torch.device("meta"):
        net = backbones.create("mobilefacenet", input_size=(112, 112), embedding_dim=256)
    assert sum(p.numel() for p in net.parameters()) == longhand_count(49, 256)


@pytest.mark.parametrize(("size", "maps"), [((112, 96), (7, 6)), ((112, 112), (7, 7))])
def test_shapes(size, maps):
    net = backbones.create("mobilefacenet", input_size=size).eval()
    x = torch.randn(2, 3, *size)
    with torch.inference_mode():
        assert net.feature_map(x).shape == (2, 512, *maps) == (2, *net.feature_shape)
        assert net(x).shape == (2, 128)
        assert torch.equal(net(x), net.head(net.feature_map(x)))


def test_strides_and_shortcuts_of_table_1():
    net = backbones.create("mobilefacenet")
    strides = [block.conv[3].stride[0] for block in net.blocks]
    assert strides == [2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1]
    assert [i for i, block in enumerate(net.blocks) if not block.shortcut] == [0, 5, 12]


def test_stages_end_in_the_feature_map():
    net = backbones.create("mobilefacenet").eval()
    x = torch.randn(2, 3, 112, 96)
    with torch.inference_mode():
        stages = net.stages(x)
        assert torch.equal(stages[-1], net.feature_map(x))
    assert [tuple(stage.shape[1:]) for stage in stages] == [(64, 56, 48), (64, 28, 24), (128, 14, 12), (512, 7, 6)]
    assert net.stage_channels == (64, 64, 128, 512)


def test_published_checkpoint_loads_strictly(shared):
    path = shared / "weights" / "mobilefacenet_casia_112x96.ckpt"
    state = torch.load(path, map_location="cpu", weights_only=True)["net_state_dict"]
    net = backbones.create("mobilefacenet").eval()
    net.load_state_dict(state, strict=True)
    x = torch.randn(3, 3, 112, 96)
    with torch.inference_mode():
        got = net(x)
        assert torch.allclose(got, functional(state, x), atol=1e-4)
    assert torch.isfinite(got).all()


def functional(state, x):
    """The whole network as functions of the published tensors."""

    def norm(x, name):
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{name}.{n}"] for n in names), eps=1e-5)

    def block(x, name, stride=1, padding=0, groups=1, linear=False):
        x = norm(F.conv2d(x, state[f"{name}.conv.weight"], None, stride, padding, 1, groups), f"{name}.bn")
        return x if linear else F.prelu(x, state[f"{name}.prelu.weight"])

    x = block(x, "conv1", 2, 1)
    x = block(x, "dw_conv1", 1, 1, 64)
    for i in range(15):
        conv = f"blocks.{i}.conv"
        y = norm(F.conv2d(x, state[f"{conv}.0.weight"]), f"{conv}.1")
        y = F.prelu(y, state[f"{conv}.2.weight"])
        y = F.conv2d(y, state[f"{conv}.3.weight"], None, 2 if i in (0, 5, 12) else 1, 1, 1, y.shape[1])
        y = F.prelu(norm(y, f"{conv}.4"), state[f"{conv}.5.weight"])
        y = norm(F.conv2d(y, state[f"{conv}.6.weight"]), f"{conv}.7")
        x = y if i in (0, 5, 12) else x + y
    x = block(x, "conv2")
    x = block(x, "linear7", groups=512, linear=True)
    return block(x, "linear1", linear=True)[:, :, 0, 0]
