"""The polynomials of Debye's expansion for one order, from exact fractions, truncated to float64 accuracy."""

import math
from fractions import Fraction
from functools import cache
from itertools import zip_longest
from typing import NamedTuple

from numpy.polynomial import Chebyshev
from numpy.polynomial import Polynomial as Powers

MIN_ORDER = 20.0
"""From this order on, `_MOST_TERMS` terms suffice for float64."""

_MOST_TERMS = 15
_NEGLIGIBLE = 1e-18
_ACCURACY = 1e-15

Polynomial = tuple[float, ...]
"""Coefficients, lowest power first."""


class Series(NamedTuple):
    """Polynomials in t on [0, 1]; see `facepipe.vmf.debye`.

    Attributes:
        p, q, r: P, Q and R.
        t_r_slope: t·R′(t).
        p_at_one: P(1).
    """

    p: Polynomial
    q: Polynomial
    r: Polynomial
    t_r_slope: Polynomial
    p_at_one: float


@cache
def series(v: float) -> Series:
    """The polynomials for order v ≥ `MIN_ORDER`."""
    p = [0.0] * (3 * _terms(v) + 1)
    for k, polynomial in enumerate(log_terms(_terms(v)), start=1):
        for power, coefficient in enumerate(polynomial):
            p[power] += float(coefficient) / v**k
    # Synthetic division by t − 1: the quotient's coefficients are the tails' sums.
    q = [math.fsum(p[power:]) for power in range(1, len(p))]
    r = [0.5 if power == 0 else power * coefficient for power, coefficient in enumerate(p)]
    slope = [power * coefficient for power, coefficient in enumerate(r)]
    return Series(
        p=_short(p, 1),
        q=_short(q, 1),
        # An error of R is scaled by 2/v in A.
        r=_short(r, v / 2),
        t_r_slope=_short(slope, 1),
        p_at_one=math.fsum(p),
    )


def log_terms(count: int) -> list[list[Fraction]]:
    """D_1 … D_count, coefficients from the lowest power up.

    With U = exp ΣD_k/v^k in the recurrence of u_k (DLMF 10.41.9), differentiated once:
    D′_{k+1} = ½(t² − t⁴)(D″_k + Σ_{i+j=k} D′_i D′_j) + (t − 2t³)D′_k, D′_1 = (1 − 5t²)/8.
    """
    slopes = [[Fraction(1, 8), Fraction(0), Fraction(-5, 8)]]
    while len(slopes) < count:
        last = slopes[-1]
        inside = [power * coefficient for power, coefficient in enumerate(last)][1:]
        for left, right in zip(slopes[:-1], reversed(slopes[:-1]), strict=True):
            inside = _sum(inside, _product(left, right))
        curved = _product([Fraction(0), Fraction(0), Fraction(1, 2), Fraction(0), Fraction(-1, 2)], inside)
        slopes.append(_sum(curved, _product([Fraction(0), Fraction(1), Fraction(0), Fraction(-2)], last)))
    return [[Fraction(0), *(c / (power + 1) for power, c in enumerate(slope))] for slope in slopes[:count]]


def _terms(v: float) -> int:
    """Number of terms until the next, about (k−1)!/(πv)^k, is negligible in P and its first two derivatives."""
    for k in range(1, _MOST_TERMS):
        if math.factorial(k) / (math.pi * v) ** (k + 1) < _NEGLIGIBLE:
            return k
    return _MOST_TERMS


def shortened(polynomial: Chebyshev, tolerance: float) -> Polynomial:
    """The polynomial on [0, 1] without the last Chebyshev terms, whose sum is below the tolerance."""
    tail = 0.0
    keep = len(polynomial.coef)
    while keep > 1 and (tail := tail + abs(polynomial.coef[keep - 1])) < tolerance:
        keep -= 1
    short = polynomial.truncate(keep).convert(kind=Powers, domain=[-1, 1], window=[-1, 1])
    return tuple(short.coef.tolist())


def _short(coefficients: list[float], scale: float) -> Polynomial:
    return shortened(Powers(coefficients).convert(kind=Chebyshev, domain=[0, 1]), _ACCURACY * scale)


def _sum(p: list[Fraction], q: list[Fraction]) -> list[Fraction]:
    return [a + b for a, b in zip_longest(p, q, fillvalue=Fraction(0))]


def _product(p: list[Fraction], q: list[Fraction]) -> list[Fraction]:
    out = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            out[i + j] += a * b
    return out
