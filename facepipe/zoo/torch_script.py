"""Read the tensors of a TorchScript file without running or compiling anything in it."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from facepipe.errors import ModelError

_MOST_DEEP = 64
_LARGEST = 8
"""Bytes of tensors per byte of the file, each counted as stored and as created; torch.jit.save does not compress."""


class _Module:
    """Stand-in for a compiled module or any other class in the file: keeps its attributes."""

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


def is_torch_script(path: Path) -> bool:
    """Whether a file was written by ``torch.jit.save``."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.split("/")[-1] == "constants.pkl" for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_torch_script(path: Path) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, on the CPU.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(name for name in archive.namelist() if name.endswith("/data.pkl"))[: -len("data.pkl")]
            most = _LARGEST * path.stat().st_size
            with archive.open(f"{root}data.pkl") as file:
                module = _Reader(file, archive, f"{root}data/", most).load()
    # A damaged archive or pickle raises almost anything.
    except Exception as error:
        raise ModelError(f"{path}: a damaged TorchScript file; export it again") from error
    state: dict[str, torch.Tensor] = {}
    _collect(module, "", state, _MOST_DEEP)
    return state


def _collect(module: Any, prefix: str, state: dict[str, torch.Tensor], depth: int) -> None:
    for name, value in getattr(module, "attributes", {}).items():
        if isinstance(value, torch.Tensor):
            state[f"{prefix}{name}"] = value
        elif isinstance(value, _Module) and depth:
            _collect(value, f"{prefix}{name}.", state, depth - 1)


class _Reader(pickle._Unpickler):  # in Python: the one in C allocates as much memory as a memo's number says
    """Creates only tensors, plain values and the stand-in above; of ``most`` bytes together, since a compressed
    archive, and tensors that repeat one value, could be of any size."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str, most: int) -> None:
        super().__init__(file)
        self._archive, self._folder, self._left = archive, folder, most

    def persistent_load(self, pid: Any) -> Any:
        """A storage: ``("storage", type, name, device, number of elements)``."""
        _, kind, name, _, _ = pid
        member = self._archive.getinfo(f"{self._folder}{name}")
        self._count(member.file_size)
        return kind, self._archive.read(member)

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise pickle.UnpicklingError("its tensors are larger than the file")

    def _tensor(self, storage: tuple[torch.dtype, bytes], offset: int, size: Any, stride: Any, *_: Any) -> torch.Tensor:
        dtype, data = storage
        flat = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.zeros(0, dtype=dtype)
        view = flat.as_strided(tuple(size), tuple(stride), offset)
        self._count(view.numel() * view.element_size())
        return view.clone()

    def find_class(self, module: str, name: str) -> Any:
        """The objects that modules and tensors need; anything else is an error."""
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return self._tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module == "collections" and name == "OrderedDict":
            return dict
        if module == "torch.jit._pickle":
            return lambda values, *_: values
        if module.startswith("__torch__"):
            return _Module
        raise pickle.UnpicklingError(f"it uses {module}.{name}")


_DTYPES = {
    f"{name}Storage": dtype
    for name, dtype in {
        "Float": torch.float32, "Double": torch.float64, "Half": torch.float16, "BFloat16": torch.bfloat16,
        "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}  # fmt: skip
