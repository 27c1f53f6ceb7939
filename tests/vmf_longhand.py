"""The von Mises-Fisher functions from their definitions, in mpmath with sixty digits."""

from functools import cache

from mpmath import besseli, log, loggamma, mp, mpf, pi

mp.dps = 60


@cache
def bessel(v, kappa):
    return besseli(mpf(v), mpf(kappa))


def log_iv(v, kappa):
    return log(bessel(v, kappa))


def ratio(d, kappa):
    """A_d = I_{d/2}/I_{d/2−1}; 0 at κ = 0."""
    return bessel(d / 2, kappa) / bessel(d / 2 - 1, kappa) if kappa else mpf(0)


def ratio_slope(d, kappa):
    """A′ from the differential equation of I; 1/d at κ = 0."""
    a = ratio(d, kappa)
    return 1 - a**2 - (d - 1) * a / mpf(kappa) if kappa else 1 / mpf(d)


def ratio_curvature(d, kappa):
    a, slope, k = ratio(d, kappa), ratio_slope(d, kappa), mpf(kappa)
    return -2 * a * slope - (d - 1) * (slope / k - a / k**2)


def log_c(d, kappa):
    if kappa == 0:
        return loggamma(mpf(d) / 2) - log(2) - mpf(d) / 2 * log(pi)
    return (mpf(d) / 2 - 1) * log(mpf(kappa)) - mpf(d) / 2 * log(2 * pi) - log_iv(d / 2 - 1, kappa)
