"""Work shared out to other processes and machines, in units, with the results in their order."""

from facepipe.workers.on_ray import OnRay, WorkerError

__all__ = ["OnRay", "WorkerError"]
