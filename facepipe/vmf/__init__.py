"""The von Mises-Fisher distribution on any device: log I_v, A_d, log C_d, log density, and sampling.

Batched over κ, twice differentiable, accurate for d from 2 to far beyond 2048 and κ from 0 to 1e6 and more.
"""

from facepipe.vmf.density import a_d, in_double, log_c, log_density, log_iv
from facepipe.vmf.neg_log_density import neg_log_density_and_slope
from facepipe.vmf.sampling import sample

__all__ = ["a_d", "in_double", "log_c", "log_density", "log_iv", "neg_log_density_and_slope", "sample"]
