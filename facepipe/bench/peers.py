"""The libraries that facepipe is compared with, if installed."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch

from facepipe.detection import DetectorSettings
from facepipe.zoo import Model

PEER_BATCH = 32


Work = Callable[[Any], object]


class Peer:
    """A peer in a separate process, as its users run it, unaffected by facepipe's process settings.

    Args:
        build: a function of this module that builds the peer's callable; called in the new process.
        arguments: for ``build``; must be picklable.
    """

    def __init__(self, build: Callable[..., Work], *arguments: object) -> None:
        context = get_context("spawn")
        self._connection, remote = context.Pipe()
        self._process = context.Process(target=_serve, args=(remote, build, arguments), daemon=True)
        self._process.start()
        remote.close()

    def __call__(self, part: Any) -> float:
        """Seconds that the peer took for ``part``, without the transfer between processes."""
        self._connection.send(part)
        seconds: float = self._connection.recv()
        return seconds

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


def _serve(connection: Connection, build: Callable[..., Work], arguments: tuple[object, ...]) -> None:
    work = build(*arguments)
    while True:
        try:
            part = connection.recv()
        except EOFError:
            return
        start = time.perf_counter()
        work(part)
        connection.send(time.perf_counter() - start)


def has_facenet() -> bool:
    """Whether facenet-pytorch can be imported."""
    return find_spec("facenet_pytorch") is not None and find_spec("torchvision") is not None


def facenet_mtcnn(settings: DetectorSettings, device: str) -> Work:
    """``facenet_pytorch.MTCNN.detect`` with landmarks in batches of 32, on a list of images of one size."""
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


def plain_forward(model: Model, batch: int) -> Work:
    """The network as it comes from a checkpoint, on crops: float32, PyTorch's default layout."""
    network: Any = model.network
    mean, scale = model.card.input.mean, model.card.input.scale

    def embed(crops: np.ndarray) -> object:
        out = []
        for first in range(0, len(crops), batch):
            x = torch.from_numpy(crops[first : first + batch]).to(model.device).permute(0, 3, 1, 2)
            out.append(network(((x.float() - mean) / scale).contiguous()).cpu().numpy())
        return np.concatenate(out)

    return torch.inference_mode()(embed)
