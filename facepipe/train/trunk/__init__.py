"""Training the upper layers of a network on cached feature maps of its frozen lower layers."""
