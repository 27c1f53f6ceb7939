"""Engines: what runs the networks. PyTorch where it is fast at it or needed, ONNX for short jobs on a processor.

Nothing here imports PyTorch.
"""

from facepipe.engines.choice import ENGINES, FEW_PHOTOS, choose_engine
from facepipe.engines.session import Session, open_session

__all__ = ["ENGINES", "FEW_PHOTOS", "Session", "choose_engine", "open_session"]
