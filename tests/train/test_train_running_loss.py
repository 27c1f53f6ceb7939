"""Loss and speed over a stretch of steps."""

import math

import torch

from facepipe.train.loop.progress import RunningLoss


def test_the_mean_of_the_steps_so_far():
    running = RunningLoss(torch.device("cpu"))
    assert math.isnan(running.mean_loss())
    for loss in (1.0, 2.0, 6.0):
        running.add(torch.tensor(loss))
    assert running.mean_loss() == 3.0 and running.steps_per_second() > 0
