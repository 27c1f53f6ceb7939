"""Find the state dict in a file of weights, and load it into a network."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from facepipe.errors import ModelError
from facepipe.tables import counted

if TYPE_CHECKING:
    from torch import Tensor, nn

StateDict = dict[str, "Tensor"]

_KEYS = ("state_dict", "net_state_dict", "model_state_dict", "model", "backbone", "network", "net")
_SHOWN = 5


def read_checkpoint(path: Path, form: Literal["torch", "safetensors"]) -> Any:
    """Load the contents of a file of weights on the CPU, without executing code in it.

    Raises:
        ModelError: the file is missing, damaged, or has objects other than tensors and plain values.
    """
    import pickle

    try:
        if form == "safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        import torch

        from facepipe.zoo.torch_script import is_torch_script, read_torch_script

        if is_torch_script(path):
            return read_torch_script(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(f"{path}: cannot read these weights ({error.strerror or error})") from error
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise ModelError(
                f"{path}: has Python objects besides tensors, which are not loaded because they can run code; "
                "save only the network's state_dict()"
            ) from error
        raise ModelError(f"{path}: damaged, or not a torch checkpoint") from error
    except Exception as error:  # torch and safetensors raise many types for damaged files
        kind = "safetensors file" if form == "safetensors" else "torch checkpoint"
        raise ModelError(f"{path}: damaged, or not a {kind}") from error


def find_state_dict(loaded: Any, path: Path, key: str | None = None) -> tuple[str, StateDict]:
    """The key and state dict in a checkpoint; the key is empty at the top level.

    Args:
        loaded: from ``read_checkpoint``.
        path: the file, for messages.
        key: location of the state dict; None tries the top level and the usual keys.

    Raises:
        ModelError: there is none, or none at ``key``.
    """
    tables = loaded if isinstance(loaded, dict) else {}
    wanted = ("", *_KEYS) if key is None else (key,)
    for name in wanted:
        found: Any = tables.get(name) if name else loaded
        if is_state(found):
            return name, dict(found)
    where = ", ".join(map(str, list(tables)[:8])) or type(loaded).__name__
    if key:
        raise ModelError(f"{path}: no state dict under key {key!r}; the file has {where}")
    raise ModelError(f"{path}: has no state dict; the file has {where}")


def load_weights(network: "nn.Module", state: StateDict, path: Path) -> None:
    """Load a state dict into a network, strictly and as float32, ignoring prefixes of wrappers.

    The network may be on torch's meta device: the tensors of the state dict are assigned to it.

    Raises:
        ModelError: names or shapes differ; lists the first few of each kind.
    """
    import torch

    expected = network.state_dict()
    state = without_prefix(state, set(expected))
    for name, tensor in expected.items():
        # Only saved since torch 0.4.1, and only used in training.
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros((), dtype=tensor.dtype))
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    misshaped = [
        f"{name} {_shape(state[name])} for {_shape(tensor)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    differences = [("missing", missing), ("unexpected", unexpected), ("of another shape", misshaped)]
    report = "; ".join(f"{len(found)} {kind}: {_first(found)}" for kind, found in differences if found)
    if report:
        renamed = _shapes(expected) == _shapes(state) and len(missing) == len(unexpected)
        hint = "; the shapes match and only the names differ: rename the tensors" if renamed else ""
        raise ModelError(f"{path}: does not match {type(network).__name__}: {report}{hint}")
    require_finite(state, path)
    network.load_state_dict(state, strict=True, assign=True)
    network.float()


def _shapes(state: Mapping[str, "Tensor"]) -> Counter[tuple[int, ...]]:
    return Counter(tuple(tensor.shape) for name, tensor in state.items() if not name.endswith("num_batches_tracked"))


def require_finite(state: StateDict, path: Path) -> None:
    """Refuse weights that are not finite.

    Raises:
        ModelError: a tensor has NaN or infinite values; gives their number and the first.
    """
    wrong = [name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if wrong:
        raise ModelError(
            f"{path}: NaN or infinite values in {counted(len(wrong), 'tensor')}, such as {wrong[0]}; the "
            "training diverged, or the file is damaged: use an earlier checkpoint"
        )


def without_prefix(state: StateDict, expected: set[str]) -> StateDict:
    """Drop leading name parts common to all tensors and unknown to the network, such as ``module.``."""
    expected_first = {name.split(".")[0] for name in expected}
    while state:
        first = {name.split(".")[0] for name in state}
        prefix = first.pop()
        if first or prefix in expected_first or any("." not in name for name in state):
            return dict(state)
        state = {name[len(prefix) + 1 :]: tensor for name, tensor in state.items()}
    return state


def is_state(found: Any) -> bool:
    """Whether a value is a dictionary of tensors by name."""
    import torch

    return (
        isinstance(found, dict)
        and len(found) > 0
        and all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in found.items())
    )


def _first(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _shape(tensor: "Tensor") -> str:
    return "×".join(map(str, tensor.shape)) or "scalar"
