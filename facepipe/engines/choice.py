"""Choosing the engine that runs the networks."""

import sys

from facepipe.errors import DeviceError, FacepipeError
from facepipe.imports import has_torch, require_torch
from facepipe.parameters import parameter

ENGINES = ("auto", "torch", "onnx")
FEW_PHOTOS = 300
"""Number of photos up to which ``auto`` picks the ONNX engine; PyTorch makes up its loading time only with more."""


def choose_engine(name: str = "auto", *, device: str = "auto", photos: int | None = None, precision: str = "") -> str:
    """Resolve ``auto``, ``torch`` or ``onnx`` to an engine that can do the job.

    Args:
        name: the requested engine.
        device: ``auto``, ``cpu``, ``cuda`` ...; the ONNX engine runs on the CPU.
        photos: their number; None means many or unknown.
        precision: the requested number format; the ONNX engine has float32 only.

    Raises:
        DeviceError: the engine does not support the device or number format.
        MissingExtraError: PyTorch is needed but not installed.
        FacepipeError: unknown engine.
    """
    if name not in ENGINES:
        raise FacepipeError(f"{parameter('engine', name)}: choose one of {', '.join(ENGINES)}")
    light = device in ("auto", "cpu") and precision != "bfloat16"
    if name == "onnx":
        if not light:
            chosen = _chosen_by(device, precision)
            raise DeviceError(
                f"{parameter('engine', 'onnx')} runs on the CPU in float32, not with {chosen}; "
                f"use {parameter('engine', 'torch')}"
            )
        return "onnx"
    if name == "auto" and light and (not has_torch() or (_few(photos) and "torch" not in sys.modules)):
        return "onnx"
    require_torch(parameter("engine", "torch") if name == "torch" else _chosen_by(device, precision))
    return "torch"


def _few(photos: int | None) -> bool:
    return photos is not None and photos <= FEW_PHOTOS


def _chosen_by(device: str, precision: str) -> str:
    return parameter("device", device) if device not in ("auto", "cpu") else parameter("precision", precision)
