"""Learning rate schedules as pure functions of the step, so that resuming needs no state."""

import math

from facepipe.train.recipe.schema import Schedule


def steps_of(schedule: Schedule, amount: float, steps_per_epoch: float) -> int:
    """Convert ``amount`` from the schedule's unit to whole steps."""
    return round(amount * steps_per_epoch) if schedule.unit == "epochs" else round(amount)


def total_steps(schedule: Schedule, steps_per_epoch: float) -> int:
    """Length of the run in steps, at least 1."""
    return max(1, steps_of(schedule, schedule.length, steps_per_epoch))


def rate(schedule: Schedule, step: int, steps_per_epoch: float) -> float:
    """Learning rate at ``step``, counted from 0, as a multiple of the base rate.

    Linear warm-up to 1 over ``warmup``, then: ``multistep`` multiplies by ``factor`` at each milestone (as in
    Caffe, the milestone itself already has the new rate), ``cosine`` decays as (1 + cos πt)/2 (Loshchilov and
    Hutter, SGDR, ICLR 2017, Eq. 5) and ``polynomial`` as (1 − t)^power, both to ``final``, with t from 0 to 1
    after the warm-up.
    """
    warmup = steps_of(schedule, schedule.warmup, steps_per_epoch)
    if step < warmup:
        return (step + 1) / warmup
    if schedule.name == "constant":
        return 1.0
    if schedule.name == "multistep":
        drops = [steps_of(schedule, milestone, steps_per_epoch) for milestone in schedule.milestones]
        return float(schedule.factor ** sum(step >= drop for drop in drops))
    span = max(1, total_steps(schedule, steps_per_epoch) - warmup)
    done = min(1.0, (step - warmup) / span)
    if schedule.name == "cosine":
        left = (1 + math.cos(math.pi * done)) / 2
    else:
        left = (1 - done) ** schedule.power
    return schedule.final + (1 - schedule.final) * left
