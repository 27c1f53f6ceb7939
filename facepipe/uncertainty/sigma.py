"""The dense layers common to PFE and ProbFace, with the constants of their TensorFlow programs."""

import torch
from torch import Tensor, nn

from facepipe.errors import ModelError
from facepipe.uncertainty.head import floored

_EPS = 1e-3


class SigmaLayers(nn.Module):
    """Input N×n → log σ² N×``outputs``.

    fc without bias → batch norm → ReLU → fc without bias → batch norm without scale and shift → γx + β with one γ
    and one β for all outputs → log(10⁻⁶ + e^x).

    Args:
        inputs: n.
        hidden: outputs of the first layer.
        outputs: 1, or one per dimension.
        gamma, beta: initial values; because of the last batch norm, β is the initial mean of x.
        decay: of the running averages of batch norm, as TensorFlow defines it: the weight of the old value.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, gamma: float, beta: float, decay: float) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ModelError(f"decay must be at least 0 and below 1, got {decay:g}")
        if hidden < 1:
            raise ModelError(f"hidden must be at least 1, got {hidden}")
        momentum = 1 - decay
        self.fc1 = nn.Linear(inputs, hidden, bias=False)
        self.norm1 = nn.BatchNorm1d(hidden, eps=_EPS, momentum=momentum)
        self.fc2 = nn.Linear(hidden, outputs, bias=False)
        self.norm2 = nn.BatchNorm1d(outputs, eps=_EPS, momentum=momentum, affine=False)
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))
        self.beta = nn.Parameter(torch.tensor(float(beta)))
        for layer in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(layer.weight)  # TensorFlow's default for dense layers

    def forward(self, x: Tensor) -> Tensor:
        """log σ², N×``outputs``."""
        x = torch.relu(self.norm1(self.fc1(x)))
        return floored(self.gamma * self.norm2(self.fc2(x)) + self.beta)
