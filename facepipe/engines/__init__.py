"""Engines, which run the networks: PyTorch where it is faster or required, ONNX for short jobs on a CPU.

Nothing here imports PyTorch.
"""

from facepipe.engines.choice import ENGINES, FEW_PHOTOS, choose_engine
from facepipe.engines.session import Session, open_session

__all__ = ["ENGINES", "FEW_PHOTOS", "Session", "choose_engine", "open_session"]
