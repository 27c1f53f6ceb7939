"""Similarity transforms and pictures for tests of alignment."""

import numpy as np


def similarity(scale, angle, x=0.0, y=0.0):
    """2×3, crop to image."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def moved(matrix, points):
    return np.c_[points, np.ones(len(points))] @ matrix.T


def crop_pixels(height, width):
    y, x = np.mgrid[:height, :width]
    return np.stack([x.ravel(), y.ravel()], 1).astype(float)


def rgb(grey):
    return np.repeat(np.rint(grey).astype(np.uint8)[:, :, None], 3, axis=2)
