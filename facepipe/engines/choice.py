"""Which engine runs the networks."""

import sys

from facepipe.errors import DeviceError, FacepipeError
from facepipe.imports import has_torch, require_torch
from facepipe.parameters import parameter

ENGINES = ("auto", "torch", "onnx")
FEW_PHOTOS = 300
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
        raise FacepipeError(f"{parameter('engine', name)}: choose one of {', '.join(ENGINES)}")
    light = device in ("auto", "cpu") and precision != "bfloat16"
    if name == "onnx":
        if not light:
            given = _given(device, precision)
            raise DeviceError(
                f"{parameter('engine', 'onnx')} runs on the processor in float32, not with {given}; "
                f"use {parameter('engine', 'torch')}"
            )
        return "onnx"
    if name == "auto" and light and (not has_torch() or (_few(photos) and "torch" not in sys.modules)):
        return "onnx"
    require_torch(parameter("engine", "torch") if name == "torch" else _given(device, precision))
    return "torch"


def _few(photos: int | None) -> bool:
    return photos is not None and photos <= FEW_PHOTOS


def _given(device: str, precision: str) -> str:
    return parameter("device", device) if device not in ("auto", "cpu") else parameter("precision", precision)
