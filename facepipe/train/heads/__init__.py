"""Training a confidence head on a frozen backbone."""
