"""Batches in a fixed order, prefetched by threads."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np
import torch
from torch import Tensor

from facepipe.threads import thread_count
from facepipe.train.data.augment import NUMBERS, Augment, augment_batch
from facepipe.train.data.balanced_order import BalancedOrder
from facepipe.train.data.crops import Crops
from facepipe.train.data.order import Order, uniforms
from facepipe.train.data.stranger_order import StrangerOrder


@dataclass(frozen=True)
class Share:
    """How one optimiser step of ``ranks × micro_batches × batch`` samples is split."""

    batch: int
    micro_batches: int = 1
    rank: int = 0
    ranks: int = 1

    @property
    def samples_per_step(self) -> int:
        """Samples of all ranks and micro-batches."""
        return self.batch * self.micro_batches * self.ranks

    def first_position(self, step: int, micro_batch: int) -> int:
        """Position in the sample order of the first sample of this rank's micro-batch; steps count from 0."""
        return step * self.samples_per_step + (micro_batch * self.ranks + self.rank) * self.batch


class Loader:
    """Micro-batches uint8 N×H×W×3 and labels int64 N, in order, at most ``prefetch`` of them in flight.

    Decoding and OpenCV release the GIL, so threads suffice and crops are shared without copies. With ``numbered``,
    sample indices replace the labels, for a loss that looks up its targets. With ``per_identity`` above 1, that many
    consecutive samples are images of one identity, see `BalancedOrder`. With ``append_unaugmented`` a micro-batch has
    2N rows: the augmented crops, then the same crops without augmentation.
    """

    def __init__(
        self,
        crops: Crops,
        augment: Augment,
        seed: int,
        share: Share,
        workers: int = 0,
        prefetch: int = 4,
        numbered: bool = False,
        per_identity: int = 1,
        append_unaugmented: bool = False,
    ) -> None:
        self.crops = crops
        self.augment = augment
        self.seed = seed
        self.share = share
        self.order: Order | BalancedOrder | StrangerOrder = Order(len(crops.samples), seed)
        if per_identity > 1:
            self.order = BalancedOrder(crops.samples.labels, seed, per_identity, share.samples_per_step)
        self.workers = workers or min(4, thread_count())
        self.prefetch = max(prefetch, self.workers)
        self.append_unaugmented = append_unaugmented
        self.read = crops.numbered if numbered else crops.batch

    def build(self, step: int, micro_batch: int) -> tuple[np.ndarray, np.ndarray]:
        """One micro-batch, a pure function of its arguments."""
        first = self.share.first_position(step, micro_batch)
        indices, epochs = self.order.at(first, self.share.batch)
        crops, labels = self.read(indices, epochs)
        plain = crops.copy() if self.append_unaugmented else None
        augment_batch(crops, uniforms(self.seed, epochs, indices, NUMBERS), self.augment)
        if plain is not None:
            return np.concatenate([crops, plain]), np.concatenate([labels, labels])
        return crops, labels

    def batches(
        self, first_step: int, last_step: int
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Micro-batches of steps ``first_step`` ... ``last_step - 1``; closing it stops the threads.

        Raises:
            DatasetError: too many samples are unreadable.
        """
        with _opencv_on_one_thread:
            yield from self._batches(first_step, last_step)

    def _batches(
        self, first_step: int, last_step: int
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        todo = ((step, k) for step in range(first_step, last_step) for k in range(self.share.micro_batches))
        waiting: deque[Future[tuple[np.ndarray, np.ndarray]]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="crops")
        try:
            for step_and_part in todo:
                waiting.append(pool.submit(self.build, *step_and_part))
                if len(waiting) >= self.prefetch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _OpenCVOnOneThread:
    """Keeps OpenCV single-threaded while a loader runs: its thread pool would compete for the same cores.

    The setting is process-wide, so the last loader restores the value found by the first.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._loaders = 0
        self._before = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._loaders == 0:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(0)
            self._loaders += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._loaders -= 1
            if self._loaders == 0:
                cv2.setNumThreads(self._before)


_opencv_on_one_thread = _OpenCVOnOneThread()


def to_network(
    crops: np.ndarray, device: torch.device, mean: float, scale: float, channels: str = "rgb"
) -> Tensor:
    """uint8 N×H×W×3 RGB → float32 N×3×H×W on ``device``: (x − mean) / scale, in the given channel order.

    The result stays channels last in memory, the fastest layout for convolutions.
    """
    batch = torch.from_numpy(crops)
    batch = batch.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else batch.to(device)
    if channels == "bgr":
        batch = batch.flip(3)
    return batch.permute(0, 3, 1, 2).to(torch.float32).sub_(mean).div_(scale)
