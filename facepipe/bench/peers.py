"""What facepipe is measured against, where it is installed."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch

from facepipe.detect import Settings
from facepipe.zoo import Model

PEER_BATCH = 32


def facenet_mtcnn(settings: Settings, device: str) -> Callable[[list[np.ndarray]], object] | None:
    """``facenet_pytorch.MTCNN.detect`` with landmarks in batches of 32, or None where it is not installed."""
    if find_spec("facenet_pytorch") is None or find_spec("torchvision") is None:
        return None
    from facenet_pytorch import MTCNN

    mtcnn = MTCNN(
        min_face_size=settings.min_face,
        factor=settings.factor,
        thresholds=list(settings.thresholds),
        keep_all=True,
        device=torch.device(device),
    )

    def detect(images: list[np.ndarray]) -> object:
        parts = [np.stack(images[first : first + PEER_BATCH]) for first in range(0, len(images), PEER_BATCH)]
        return [mtcnn.detect(part, landmarks=True) for part in parts]

    return detect


def plain_forward(model: Model, batch: int) -> Callable[[np.ndarray], np.ndarray] | None:
    """The network as it comes from a checkpoint: float32, PyTorch's default layout; None for an ONNX model."""
    network = model.network
    if not isinstance(network, torch.nn.Module):
        return None
    mean, scale = model.card.input.mean, model.card.input.scale

    def embed(crops: np.ndarray) -> np.ndarray:
        out = []
        for first in range(0, len(crops), batch):
            x = torch.from_numpy(crops[first : first + batch]).to(model.device).permute(0, 3, 1, 2)
            out.append(network((x.float() - mean) / scale).cpu().numpy())
        return np.concatenate(out)

    return torch.inference_mode()(embed)
