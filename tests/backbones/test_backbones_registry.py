"""The registry, and what every network must do."""

import pytest
import torch

from facepipe import backbones
from facepipe.errors import ModelError

NAMES = [
    *(f"ir{n}" for n in (34, 50, 101)),
    *(f"iresnet{n}" for n in (18, 34, 50, 100)),
    "mobilefacenet",
    "mobilenet",
    "pfe_sphere64",
    "resface64",
    *(f"sphereface{n}" for n in (4, 10, 20, 36, 64)),
]
ONE_OF_EACH = ["ir34", "iresnet18", "mobilefacenet", "mobilenet", "pfe_sphere64", "resface64", "sphereface10"]


def test_names():
    assert [name for name in backbones.names() if name in NAMES] == NAMES


@pytest.mark.parametrize(
    ("name", "size", "dim"),
    [("iresnet50", (112, 112), 512), ("mobilefacenet", (112, 96), 128), ("resface64", (96, 96), 256),
     ("sphereface20", (112, 96), 512)],
)
def test_describe(name, size, dim):
    info = backbones.describe(name)
    assert (info.input_size, info.embedding_dim) == (size, dim)
    assert "20" in info.paper
    assert info.parameters > 0


def test_describe_options():
    assert backbones.describe("sphereface20").options == {"batch_norm": False, "width": 1.0}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: backbones.create("spherface20"), "'spherface20'; did you mean 'sphereface20'?"),
        (lambda: backbones.describe("zzz"), "unknown backbone 'zzz'; choose one of ir34"),
        (lambda: backbones.create("sphereface4", widht=1), "no option 'widht'; did you mean 'width'?"),
        (lambda: backbones.create("mobilefacenet", width=1), "no option 'width'; it has no options"),
        (lambda: backbones.create("sphereface4", width="half"), "option width='half': Input should be a valid number"),
        (lambda: backbones.create("sphereface4", width=True), "option width=True: Input should be a valid number"),
        (lambda: backbones.create("sphereface4", batch_norm=1), "option batch_norm=1: Input should be a valid boolean"),
        (lambda: backbones.create("sphereface4", width=0.01), "no channels"),
        (lambda: backbones.create("sphereface4", input_size=(112, 8)), "input_size must be"),
        (lambda: backbones.create("sphereface4", input_size=(112,)), "input_size must be"),
        (lambda: backbones.create("sphereface4", input_size=(112.0, 96.0)), "input_size must be"),
        (lambda: backbones.create("sphereface4", embedding_dim=0), "embedding_dim must be"),
    ],
)
def test_errors_are_one_line(call, message):
    with pytest.raises(ModelError) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module", params=ONE_OF_EACH)
def net(request):
    torch.manual_seed(0)
    options = {"width": 0.25} if request.param in ("pfe_sphere64", "resface64", "sphereface10") else {}
    return backbones.create(request.param, embedding_dim=16, **options).eval()


@torch.inference_mode()
def test_channels_last_gives_the_same(net):
    x = torch.randn(2, 3, *net.input_size)
    plain = net(x)
    net.to(memory_format=torch.channels_last)
    last = net(x.contiguous(memory_format=torch.channels_last))
    net.to(memory_format=torch.contiguous_format)
    assert torch.allclose(plain, last, atol=1e-4 * plain.abs().max())


@torch.inference_mode()
def test_bfloat16_is_close(net):
    x = torch.randn(2, 3, *net.input_size)
    plain = net(x)
    rough = net.bfloat16()(x.bfloat16())
    net.float()
    assert rough.dtype == torch.bfloat16
    assert torch.nn.functional.cosine_similarity(plain, rough.float()).min() > 0.99


@pytest.mark.parametrize("shape", [(2, 3, 112, 80), (2, 1, 112, 96), (3, 112, 96)])
def test_wrong_crops(net, shape):
    with pytest.raises(ModelError, match=r"crops must be N×3×"):
        net(torch.zeros(shape))


@torch.inference_mode()
def test_rows_do_not_depend_on_the_batch(net):
    x = torch.randn(3, 3, *net.input_size)
    together = net(x)
    alone = torch.cat([net(row[None]) for row in x])
    assert torch.allclose(together, alone, atol=1e-4 * together.abs().max())
