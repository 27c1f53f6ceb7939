"""The similarity transform between landmarks and a template, fitted in either direction.

A similarity is a rotation, one scale and a translation, never a reflection. With points as complex numbers it is
p → a·p + b, where linear least squares gives a and b. The squares can be measured in the image's pixels or in the
crop's. Both fits have the same rotation and map mean to mean, but with ρ for the correlation of the two shapes, a crop
pixel spans 1/ρ² times as many image pixels in the second as in the first. ρ is near 1 for frontal faces, and less for
turned ones.
"""

import numpy as np

from facepipe.errors import FacepipeError

_SMALLEST, _LARGEST = 1e-6, 1e6
"""Maximum number of image pixels that a crop pixel may span; beyond it, the landmarks cannot be those of a face."""


def cp2tform(template_points: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Map from crop pixels to image pixels, least squares in image pixels: MATLAB's ``cp2tform(..., 'similarity')``.

    MATLAB fits the map from output to input, in the input's pixels; SphereFace's crops are made with it.

    Args:
        template_points: float N×2, crop pixels.
        landmarks: float N×2, image pixels.

    Returns:
        float64 2×3: image point = matrix · (crop x, crop y, 1).

    Raises:
        FacepipeError: the landmarks are not finite, all at one place, or no similarity resembles them.
    """
    crop, image = _points(template_points, landmarks)
    return _matrix(*_least_squares(crop, image))


def umeyama(template_points: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Map from crop pixels to image pixels, least squares in crop pixels, as in insightface.

    The map from landmarks to template is fitted as in Umeyama (1991, Eqs. 40-42; scikit-image's
    ``SimilarityTransform``), and its inverse is returned.

    Args:
        template_points: float N×2, crop pixels.
        landmarks: float N×2, image pixels.

    Returns:
        float64 2×3: image point = matrix · (crop x, crop y, 1).

    Raises:
        FacepipeError: the landmarks are not finite, all at one place, or no similarity resembles them.
    """
    crop, image = _points(template_points, landmarks)
    turn, shift = _least_squares(image, crop)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _matrix(1 / turn, -shift / turn)


FITS = {"cp2tform": cp2tform, "umeyama": umeyama}


def _points(template_points: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as N complex numbers x + iy."""
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != template_points.shape or not np.isfinite(landmarks).all():
        raise FacepipeError(f"landmarks must be finite numbers of shape {template_points.shape}")
    axes = np.array([1, 1j])
    return np.asarray(template_points, np.float64) @ axes, landmarks @ axes


def _least_squares(source: np.ndarray, target: np.ndarray) -> tuple[np.complex128, np.complex128]:
    """The a and b that minimise Σ|a·source + b − target|²."""
    centred = source - source.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = np.complex128(np.vdot(centred, target - target.mean())) / np.vdot(centred, centred).real
        return turn, target.mean() - turn * source.mean()


def _matrix(turn: np.complex128, shift: np.complex128) -> np.ndarray:
    if not _SMALLEST < abs(turn) < _LARGEST:
        raise FacepipeError("landmarks lie on one spot or form no face: nothing can be aligned with them")
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
