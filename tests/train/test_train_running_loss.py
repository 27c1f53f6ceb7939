"""Loss and speed over a stretch of steps."""

import math

import torch

from facepipe.train.loop.running_loss import RunningLoss


def test_the_mean_of_the_steps_so_far():
    window = RunningLoss(torch.device("cpu"))
    assert math.isnan(window.mean_loss())
    for loss in (1.0, 2.0, 6.0):
        window.add(torch.tensor(loss))
    assert window.mean_loss() == 3.0 and window.steps_per_second() > 0
