"""The similarity transform between landmarks and a template."""

import numpy as np
from skimage.transform import SimilarityTransform

from facepipe.errors import FacepipeError


def fit_similarity(template_points: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Map from crop pixels to image pixels: rotation, uniform scale and shift, never a reflection.

    Least squares in image pixels, the side on which MATLAB's ``cp2tform(..., 'similarity')`` measures it:
    SphereFace's crops are cut with the map from crop to image, fitted as such (Umeyama 1991, Eqs. 40-42).

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
    fitted = SimilarityTransform.from_estimate(template_points, landmarks)
    if not fitted or not np.isfinite(fitted.params).all() or fitted.scale < 1e-6:
        raise FacepipeError("landmarks lie on one spot: no face can be aligned with them")
    matrix: np.ndarray = fitted.params[:2]
    return matrix
