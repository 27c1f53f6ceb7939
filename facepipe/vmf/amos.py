"""The remainders of log C_d and A_d after subtracting Amos' bound, as polynomials for the loss.

With v = d/2 − 1, w = v + ½, S = √(w² + κ²) and t = w/S, the bound A_d ≤ κ/(w + S) (Amos 1974) integrates to
S − w log(w + S), and

    −log C_d(κ) = S − w log(w + S) + ½(d−1) log 2π + ρ(t),
    κ A_d(κ)    = S − w − (1 − t)g(t),    g(t) = t(1 + t)ρ′(t).

Debye's expansion (`facepipe.vmf.debye`) has two logarithms instead of one. Its S_v and t_v are those of order v: with
q = S_v/S = √(1 − γt²), γ = (w² − v²)/w², the two forms differ by

    ρ(t) = P(t_v) − wγt/(1 + q) − v log((v + S_v)/(w + S)) + ½ log((1 + t)/q),
    g(t) = (1 + t)R(t_v)/q² − 2w/(2w(1 + q) − t).

Both are smooth on [0, 1], and the nearest singularity of ρ is at t = −1, so Chebyshev series converge fast; they are
truncated to the required accuracy.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.polynomial import Polynomial as Powers

from facepipe.vmf.debye_series import Polynomial, series, shortened

_TERMS = 32


@cache
def remainders(v: float, accuracy: float) -> tuple[Polynomial, Polynomial]:
    """ρ(t) and (1 − t)g(t) for order v ≥ `debye_series.MIN_ORDER`.

    Args:
        v: order.
        accuracy: bound on the error of −log C_d relative to w, and on the relative error of A_d.
    """
    w = v + 0.5
    gamma = (v + 0.25) / w**2
    p, r = Powers(series(v).p), Powers(series(v).r)

    def rho(t: Any) -> Any:
        q = np.sqrt(1 - gamma * t**2)
        lower = gamma * t**2 / (1 + q)  # 1 − q
        logs = 0.5 * np.log((1 + t) / q) - v * np.log1p(-(t / (2 * w) + lower) / (1 + t))
        return p(v / w * t / q) - w * gamma * t / (1 + q) + logs

    def g(t: Any) -> Any:
        q = np.sqrt(1 - gamma * t**2)
        return (1 + t) * r(v / w * t / q) / q**2 - 2 * w / (2 * w * (1 + q) - t)

    # κA_d is at least S(1 − t), so an error of g is divided by S > w.
    fits = (Chebyshev.interpolate(function, _TERMS, domain=[0, 1]) for function in (rho, g))
    short_rho, short_g = (shortened(fit, accuracy * w) for fit in fits)
    return short_rho, tuple((Powers(short_g) * Powers([1.0, -1.0])).coef.tolist())
