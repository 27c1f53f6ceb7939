"""A device that exists in Python only: its tensors hold their values in the processor's memory.

Where a GPU is missing it shows what a GPU would refuse or slow down: operations between two devices raise, as CUDA's
do, and every copy to the host, and so every wait, is counted. Values are real, so that sizes which depend on them,
gradients and whole training steps run, and give the processor's own results.

PyTorch takes one such device per process, and other parts of it look at which devices there are, so the suite
runs in a process of its own.
"""

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

NAME = "pretended"
_ATEN = torch.ops.aten
_COPIES = (_ATEN._to_copy.default, _ATEN.copy_.default)
_WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2", "unique_dim",
          "unique_consecutive", "repeat_interleave")  # fmt: skip
"""Operations whose result's value or size the host must know: on a GPU each waits for all work before it."""


class _Backend(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


backend_registration._setup_privateuseone_for_python_backend(NAME, _Backend())
DEVICE = torch.device(NAME, 0)


class MixedDevicesError(RuntimeError):
    """An operation between tensors of the device and of the host."""


class OnDevice(Tensor):
    """A tensor of the pretended device."""

    @staticmethod
    def __new__(cls, value: Tensor) -> "OnDevice":
        return Tensor._make_wrapper_subclass(
            cls, value.size(), strides=value.stride(), storage_offset=value.storage_offset(),
            dtype=value.dtype, device=DEVICE,
        )  # fmt: skip

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"OnDevice({self.value!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {}, Counter())


class Watch(TorchDispatchMode):
    """Within it the device works; ``waits`` counts what copied values to the host, by operation."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations[func.overloadpacket.__name__] += 1
        return _run(func, args, kwargs or {}, self.waits)


def _run(func: Any, args: Any, kwargs: dict[str, Any], waits: Counter[str]) -> Any:
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, OnDevice)]
    _refuse_mixed(func, tensors, bool(there))
    target = _target(func, args, kwargs, bool(there))
    if there and (_waits(func, target) or _by_mask(func, args)):
        copied = target is not None and target.type == "cpu"
        waits["copy to the host" if copied else func.overloadpacket.__name__] += 1
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    out = func(*tree_map(_value, args), **tree_map(_value, kwargs))
    if func is _ATEN.copy_.default:
        return args[0]
    if target is None or target.type != NAME:
        return out
    # A view of an ordinary tensor is an ordinary tensor, in inference mode too.
    with torch.inference_mode(torch.is_inference_mode_enabled() and not any(map(_is_ordinary, there))):
        out = tree_map(lambda leaf: OnDevice(leaf) if isinstance(leaf, Tensor) else leaf, out)
    return return_and_correct_aliasing(func, args, kwargs, out) if there else out


def _is_ordinary(tensor: Tensor) -> bool:
    return not tensor.is_inference()


def _value(leaf: Any) -> Any:
    return leaf.value if isinstance(leaf, OnDevice) else leaf


def _refuse_mixed(func: Any, tensors: list[Tensor], any_there: bool) -> None:
    """As CUDA: a number in a 0-d tensor of the host may take part, anything larger may not."""
    host = [tensor for tensor in tensors if not isinstance(tensor, OnDevice) and tensor.dim()]
    if any_there and host and func not in _COPIES:
        places = ", ".join(f"{tuple(tensor.shape)} on {tensor.device.type}" for tensor in tensors)
        raise MixedDevicesError(f"{func}: {places}")


def _target(func: Any, args: Any, kwargs: dict[str, Any], any_there: bool) -> torch.device | None:
    if func is _ATEN.copy_.default:
        return DEVICE if isinstance(args[0], OnDevice) else torch.device("cpu")
    if kwargs.get("device") is not None:
        return torch.device(kwargs["device"])
    return DEVICE if any_there else None


def _waits(func: Any, target: torch.device | None) -> bool:
    return func.overloadpacket.__name__ in _WAITS or (target is not None and target.type == "cpu")


def _by_mask(func: Any, args: Any) -> bool:
    """Rows chosen by a mask: how many, the host must know."""
    if func.overloadpacket.__name__ not in ("index", "index_put", "index_put_"):
        return False
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])


def _empty_strided(size: Any, stride: Any, **options: Any) -> Tensor:
    """What PyTorch's own C++ asks the device for, past every mode."""
    return OnDevice(torch.empty_strided(size, stride, dtype=options.get("dtype"), device="cpu"))


def _empty(size: Any, **options: Any) -> Tensor:
    return OnDevice(torch.empty(size, dtype=options.get("dtype"), device="cpu"))


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    if isinstance(target, OnDevice):
        target.value.copy_(_value(source))
    else:
        target.copy_(_value(source))
    return target


_LIBRARY = torch.library.Library("aten", "IMPL")
_LIBRARY.impl("empty_strided", _empty_strided, "PrivateUse1")
_LIBRARY.impl("empty.memory_format", _empty, "PrivateUse1")
_LIBRARY.impl("_copy_from", _copy_from, "PrivateUse1")
