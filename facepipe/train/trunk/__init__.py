"""Training the upper layers of a network on the kept maps of its lower ones, which stay as they are."""
