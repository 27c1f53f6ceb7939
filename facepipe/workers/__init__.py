"""Distributing units of work to other processes and machines, with results in order."""

from facepipe.workers.on_ray import OnRay, WorkerError

__all__ = ["OnRay", "WorkerError"]
