"""The similarity transform between landmarks and a template."""

import numpy as np

from facepipe.errors import FacepipeError


def fit_similarity(template_points: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Map from crop pixels to image pixels: rotation, uniform scale and shift, never a reflection.

    Least squares in image pixels, the side on which MATLAB's ``cp2tform(..., 'similarity')`` measures it:
    SphereFace's crops are cut with the map from crop to image, fitted as such. With points as complex numbers it is
    p → a·p + b, and a the one number that linear least squares gives; Umeyama's (1991, Eqs. 40-42) is the same map.

    Args:
        template_points: float 5×2, crop pixels.
        landmarks: float 5×2, image pixels.

    Returns:
        float64 2×3: image point = matrix · (crop x, crop y, 1).

    Raises:
        FacepipeError: the landmarks are not finite or all at one place.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != template_points.shape or not np.isfinite(landmarks).all():
        raise FacepipeError(f"landmarks must be finite numbers of shape {template_points.shape}")
    crop, image = _complex(template_points), _complex(landmarks)
    from_middle = crop - crop.mean()
    turn = np.vdot(from_middle, image - image.mean()) / np.vdot(from_middle, from_middle).real
    if not np.isfinite(turn) or abs(turn) < 1e-6:
        raise FacepipeError("landmarks lie on one spot: no face can be aligned with them")
    shift = image.mean() - turn * crop.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _complex(points: np.ndarray) -> np.ndarray:
    """N×2 as N numbers x + iy."""
    return np.asarray(points, np.float64) @ np.array([1, 1j])
