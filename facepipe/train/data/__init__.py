"""Crops in order: decoding, augmentation, batches."""
