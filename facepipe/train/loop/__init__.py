"""The loop over steps: optimiser, schedule, checkpoints, log."""
