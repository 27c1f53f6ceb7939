"""The losses' formulas longhand in NumPy float64, and their gradients by the complex step.

Im f(x + ih)/h with h = 1e-30 is the derivative of an analytic f without cancellation, so a formula written
once is an oracle for forward and gradient alike. Every function here takes real or complex arrays.
"""

import numpy as np

STEP = 1e-30


def gradient(f, point):
    """∂f/∂point of a real scalar function written with analytic pieces."""
    result = np.zeros(point.shape)
    for index in np.ndindex(point.shape):
        moved = point.astype(complex)
        moved[index] += 1j * STEP
        result[index] = np.imag(f(moved)) / STEP
    return result


def norms(rows):
    return np.sqrt((rows * rows).sum(1))


def unit(rows):
    return rows / norms(rows)[:, None]


def cosines(x, w, projected=False):
    """Cosines N×C; ``projected`` takes the rows of w as they are, so the gradient does not see ‖w‖."""
    return unit(x) @ (w if projected else unit(w)).T


def positive_part(z):
    return np.where(np.real(z) > 0, z, 0)


def softplus(z):
    return np.where(np.real(z) > 0, z, 0) + np.log(1 + np.exp(np.where(np.real(z) > 0, -z, z)))


def cross_entropy(z, y):
    """Mean over rows of log Σ e^{z_j} − z_y."""
    total = 0
    for row, label in zip(z, y, strict=True):
        top = np.max(np.real(row))
        total = total + top + np.log(np.exp(row - top).sum()) - row[label]
    return total / len(y)


def psi(c, m):
    """(−1)^k cos(mθ) − 2k with kπ ≤ mθ ≤ (k+1)π, SphereFace Eq. 7."""
    theta = np.arccos(c)
    k = np.floor(m * np.real(theta) / np.pi)
    return (-1.0) ** k * np.cos(m * theta) - 2 * k


def annealed(c, m, lam):
    return (lam * c + psi(c, m)) / (1 + lam)


def with_target(matrix, y, value):
    rows = np.arange(len(y))
    result = matrix.copy()
    result[rows, y] = value
    return result


def own(matrix, y):
    return matrix[np.arange(len(y)), y]


def batch(n=12, d=4, c=5, seed=0):
    """Features N×D, class weights C×D, labels N. The own angles spread over [0, π]: some near either end."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(c, d))
    y = np.concatenate([np.arange(c), rng.integers(0, c, n - c)])
    pull = np.linspace(-4, 4, n)[:, None]
    x = pull * unit(w)[y] + rng.normal(size=(n, d))
    return x, w, y
