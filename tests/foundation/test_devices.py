"""A device that is asked for and absent is an error; the machine that runs the tests is out of the game."""

import pytest
import torch

from facepipe import devices
from facepipe.devices import (
    choose_device,
    choose_precision,
    figure_precision,
    has_native_bfloat16,
    in_halves,
    is_faster_in_bfloat16,
    whole_float32,
)
from facepipe.errors import DeviceError


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def refused(name, match):
    with pytest.raises(DeviceError, match=match) as caught:
        choose_device(name)
    assert str(caught.value).startswith(f"device={name!r}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
@pytest.mark.parametrize(
    ("built_for", "match"), [(None, "this PyTorch has no CUDA"), ("12.8", "no usable GPU or driver")]
)
def test_cuda_on_a_machine_without_one(no_gpu, monkeypatch, name, built_for, match):
    monkeypatch.setattr(torch.version, "cuda", built_for)
    refused(name, f"{match}; use device='cpu'")


def test_mps_on_a_machine_without_one(no_gpu):
    refused("mps", "this machine has no MPS device; use device='cpu'")


def test_mps_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("mps") == torch.device("mps")


def test_auto(no_gpu, monkeypatch):
    assert choose_device() == choose_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"


def test_cpu_even_where_there_is_a_gpu(two_gpus):
    assert choose_device("cpu") == torch.device("cpu")


def test_gpus_are_numbered_from_zero(two_gpus):
    assert choose_device("cuda") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    refused("cuda:2", r"this machine has only 2 CUDA devices, numbered from 0")


@pytest.mark.parametrize("name", ["", "gpu", "0", "CPU", "cuda:x", "cuda:-1", "cuda:", "tpu", " cpu"])
def test_unknown_names(no_gpu, name):
    refused(name, "no such device; choose one of auto, cpu, cuda, mps")


@pytest.mark.parametrize("name", ["meta", "xla", "hip", "vulkan"])
def test_devices_that_torch_knows_and_facepipe_does_not(name):
    refused(name, "not supported; choose one of auto, cpu, cuda, mps")


def test_precision_by_name():
    cpu = torch.device("cpu")
    assert choose_precision("float32", cpu) == torch.float32
    assert choose_precision("bfloat16", cpu) == torch.bfloat16
    for name in ("float16", "half", "", "BFLOAT16"):
        with pytest.raises(DeviceError, match=f"precision={name!r}: choose one of auto, float32, bfloat16"):
            choose_precision(name, cpu)


@pytest.mark.parametrize(
    ("capability", "native"), [((7, 5), False), ((8, 0), True), ((8, 9), True), ((9, 0), True), ((12, 0), True)]
)
def test_bfloat16_on_a_gpu_from_ampere_on(monkeypatch, capability, native):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    device = torch.device("cuda")
    assert has_native_bfloat16(device) is native is is_faster_in_bfloat16(device)
    assert choose_precision("auto", device) == (torch.bfloat16 if native else torch.float32)


@pytest.mark.parametrize(
    ("vendor", "flags", "native", "faster"),
    [
        ("GenuineIntel", "fpu avx2 avx512f", False, False),
        ("GenuineIntel", "fpu avx2 avx512f avx512_bf16 fma", True, False),  # as measured
        ("AuthenticAMD", "fpu avx2 avx512f avx512_bf16 fma", True, True),  # as measured
        ("AuthenticAMD", "fpu avx2 avx512f", False, False),
        ("GenuineIntel", "fpu amx_bf16 amx_tile", True, True),
        ("GenuineIntel", "fpu avx512_bf16 amx_bf16 amx_tile", True, True),
        ("AuthenticAMD", "fpu avx512_bf16x", False, False),
        (None, None, False, False),
    ],
)
def test_bfloat16_on_a_cpu_with_instructions_for_it(tmp_path, monkeypatch, vendor, flags, native, faster):
    import builtins

    listing = tmp_path / "cpuinfo"
    if flags is not None:
        about = f"vendor_id\t: {vendor}\nmodel name\t: no amx_bf16\nvmx flags\t: amx_bf16\nflags\t\t: {flags}\n"
        listing.write_text(f"processor\t: 0\n{about}\nprocessor\t: 1\n{about}")
    real_open = builtins.open
    monkeypatch.setattr(
        devices, "open", lambda path, **kw: real_open(listing if path == "/proc/cpuinfo" else path, **kw), raising=False
    )
    cpu = torch.device("cpu")
    assert (has_native_bfloat16(cpu), is_faster_in_bfloat16(cpu)) == (native, faster)
    assert choose_precision("auto", cpu) == (torch.bfloat16 if faster else torch.float32)


def test_bfloat16_on_mps_is_not_taken():
    assert not has_native_bfloat16(torch.device("mps")) and not is_faster_in_bfloat16(torch.device("mps"))


def test_figures_are_in_float32_unless_asked(monkeypatch):
    monkeypatch.setattr(devices, "is_faster_in_bfloat16", lambda device: True)
    assert choose_precision("auto", torch.device("cpu")) == torch.bfloat16
    assert [figure_precision(name) for name in devices.PRECISIONS] == ["float32", "float32", "bfloat16"]


def test_float32_on_a_gpu_is_whole():
    switches = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [switch.allow_tf32 for switch in switches]
    with whole_float32(torch.device("cpu")):
        assert [switch.allow_tf32 for switch in switches] == before
    with pytest.raises(ValueError, match="inside"), whole_float32(torch.device("cuda")):
        assert [switch.allow_tf32 for switch in switches] == [False, False]
        raise ValueError("inside")
    assert [switch.allow_tf32 for switch in switches] == before


def test_halves_where_memory_does_not_suffice():
    tried = []

    def double(items):
        tried.append(len(items))
        if len(items) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [2 * item for item in items]

    assert in_halves(double, list(range(10))) == list(range(0, 20, 2))
    assert tried == [10, 5, 2, 3, 5, 2, 3]

    def never(items):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(DeviceError, match="not enough GPU memory"):
        in_halves(never, [1, 2])
