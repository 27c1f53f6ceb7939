"""Which engine runs the networks."""

import sys
from importlib.util import find_spec

from facepipe.errors import DeviceError, FacepipeError, MissingExtraError

ENGINES = ("auto", "torch", "onnx")
FEW_PHOTOS = 200
"""Photos up to which ``auto`` takes the ONNX engine: there PyTorch has not made good the time that it takes to load."""


def choose_engine(name: str = "auto", *, device: str = "auto", photos: int | None = None, precision: str = "") -> str:
    """Turn ``auto``, ``torch`` or ``onnx`` into one of the two that can do the job.

    Args:
        name: what was asked for.
        device: ``auto``, ``cpu``, ``cuda`` ...; the ONNX engine runs on the processor.
        photos: how many there are; None: many, or nobody knows.
        precision: number format that was asked for; the ONNX engine has float32 only.

    Raises:
        DeviceError: the engine does not have the device or number format.
        MissingExtraError: PyTorch is needed and not installed.
        FacepipeError: unknown engine.
    """
    if name not in ENGINES:
        raise FacepipeError(f"--engine {name}: choose one of {', '.join(ENGINES)}")
    light = device in ("auto", "cpu") and precision != "bfloat16"
    if name == "onnx":
        if not light:
            what = f"--device {device}" if device not in ("auto", "cpu") else f"--precision {precision}"
            raise DeviceError(f"--engine onnx runs on the processor in float32, not with {what}; use --engine torch")
        return "onnx"
    if name == "auto" and light and (not has_torch() or (_few(photos) and "torch" not in sys.modules)):
        return "onnx"
    require_torch("--engine torch" if name == "torch" else f"--device {device}")
    return "torch"


def has_torch() -> bool:
    """Whether PyTorch is installed; does not load it."""
    return find_spec("torch") is not None


def require_torch(what: str) -> None:
    """Refuse what needs PyTorch where it is not installed.

    Args:
        what: needs it, as the message begins.

    Raises:
        MissingExtraError: it is not installed.
    """
    if not has_torch():
        raise MissingExtraError(f"{what} needs PyTorch, which is not installed: pip install 'torch>=2.6'")


def _few(photos: int | None) -> bool:
    return photos is not None and photos <= FEW_PHOTOS
