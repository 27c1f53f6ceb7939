"""Training data: decoding, augmentation, sample order and batches."""
