"""Choosing the engine that runs the networks."""

import sys

from facepipe.errors import DeviceError, FacepipeError
from facepipe.imports import has_torch, require_torch
from facepipe.parameters import parameter

ENGINES = ("auto", "torch", "onnx")
FEW_PHOTOS = 300
"""Number of photos up to which ``auto`` picks the ONNX engine; PyTorch makes up its loading time only with more."""


def choose_engine(
    name: str = "auto", *, device: str = "auto", photos: int | None = None, precision: str = "", warp: str = "host"
) -> str:
    """Resolve ``auto``, ``torch`` or ``onnx`` to an engine that can do the job.

    Args:
        name: the requested engine.
        device: ``auto``, ``cpu``, ``cuda`` ...; the ONNX engine runs on the CPU.
        photos: their number; None means many or unknown.
        precision: the requested number format; the ONNX engine has float32 only.
        warp: where crops are cut, ``host`` or ``device``; the ONNX engine takes them from the host.

    Raises:
        DeviceError: the engine does not support the device, number format or warp.
        MissingExtraError: PyTorch is needed but not installed.
        FacepipeError: unknown engine.
    """
    if name not in ENGINES:
        raise FacepipeError(f"{parameter('engine', name)}: choose one of {', '.join(ENGINES)}")
    light = device in ("auto", "cpu") and precision != "bfloat16" and warp == "host"
    if name == "onnx":
        if not light:
            chosen = _chosen_by(device, precision, warp)
            raise DeviceError(
                f"{parameter('engine', 'onnx')} runs on the CPU in float32, not with {chosen}; "
                f"use {parameter('engine', 'torch')}"
            )
        return "onnx"
    if name == "auto" and light and (not has_torch() or (_few(photos) and "torch" not in sys.modules)):
        return "onnx"
    require_torch(parameter("engine", "torch") if name == "torch" else _chosen_by(device, precision, warp))
    return "torch"


def _few(photos: int | None) -> bool:
    return photos is not None and photos <= FEW_PHOTOS


def _chosen_by(device: str, precision: str, warp: str) -> str:
    if device not in ("auto", "cpu"):
        return parameter("device", device)
    return parameter("warp", warp) if warp != "host" else parameter("precision", precision)
