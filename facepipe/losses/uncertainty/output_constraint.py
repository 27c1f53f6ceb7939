"""ProbFace's output constraint, which keeps the uncertainties of a batch near their mean."""

from typing import Literal

from torch import Tensor

from facepipe.losses.loss import widen

Norm = Literal["l1", "l2"]
Form = Literal["mean", "sum"]


def output_constraint(log_sigma2: Tensor, norm: Norm = "l1", form: Form = "mean") -> Tensor:
    """|σ²/σ²_avg − 1| (``l1``) or its square (``l2``), σ²_avg the mean σ² of the batch.

    The paper (Chen et al. 2021, L_C) uses ``l1`` and ``mean``. The released program uses ``sum`` with
    either norm (``l2`` in its configurations) and no gradient through σ²_avg.

    Args:
        log_sigma2: N×K.
        norm: of the deviation.
        form: ``mean`` over all N·K entries, with a gradient through σ²_avg; ``sum`` of them, with σ²_avg constant.
            Their weights differ by a factor of N·K.

    Returns:
        scalar, float32 (float64 for float64 input), at least 0.
    """
    log_sigma2 = widen(log_sigma2)
    # σ²/σ²_avg is invariant to scaling all σ²; relative to the largest, none overflows.
    sigma2 = (log_sigma2 - log_sigma2.detach().max()).exp()
    average = sigma2.mean()
    deviation = sigma2 / (average.detach() if form == "sum" else average) - 1
    size = deviation.abs() if norm == "l1" else deviation.square()
    return size.sum() if form == "sum" else size.mean()
