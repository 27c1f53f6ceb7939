"""Loss and speed over a stretch of steps."""

import time

import torch
from torch import Tensor


class RunningLoss:
    """Sums the loss on the device, so that no step waits for it; begins when it is made."""

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), device=device)
        self._steps = 0
        self._began = time.perf_counter()

    def add(self, loss: Tensor) -> None:
        """One step more."""
        self._loss += loss
        self._steps += 1

    def mean_loss(self) -> float:
        """Mean over the steps so far; nan when there was none."""
        return float(self._loss) / self._steps if self._steps else float("nan")

    def steps_per_second(self) -> float:
        """Since the window began."""
        return self._steps / max(time.perf_counter() - self._began, 1e-9)
