"""SphereFace's toy experiment: features of 2 or 3 dimensions, which can be plotted (paper, Fig. 5 and App. A, C, D).

The paper uses MNIST and six identities of CASIA-WebFace. This uses the 1,797 handwritten 8×8 digits bundled with
scikit-learn, so that nothing has to be downloaded.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from facepipe import losses
from facepipe.errors import MissingExtraError

DIGITS = 10


@dataclass(frozen=True)
class ToyLoss:
    """A loss to plot: its title, its name in `facepipe.losses` and its options."""

    title: str
    name: str
    options: tuple[tuple[str, float], ...] = ()


# λ falls faster than in the paper because the runs are shorter, and not to 0: in 2-D, classes would merge.
_FAST = (("gamma", 0.5), ("lambda_min", 1.0))
TOY_LOSSES = (
    ToyLoss("softmax", "softmax"),
    ToyLoss("m = 1", "a_softmax", (("m", 1),)),
    *(ToyLoss(f"m = {m}", "a_softmax", (("m", m), *_FAST)) for m in (2, 3, 4)),
)


@dataclass(frozen=True)
class ToyFeatures:
    """The result of one toy run.

    Attributes:
        loss: training loss.
        features: float32 N×D, D = 2 or 3, of the test digits.
        labels: int64 N, 0 … 9.
        means: float32 10×D, mean training feature of each digit.
        fisher: angular Fisher score of the features (App. E, Eq. 11); lower is better.
        accuracy: share of test digits whose nearest mean direction is that of their class.
    """

    loss: ToyLoss
    features: np.ndarray
    labels: np.ndarray
    means: np.ndarray
    fisher: float
    accuracy: float


def train_toy(loss: ToyLoss, dim: int, seed: int = 0, steps: int = 1000) -> ToyFeatures:
    """Train a small network on nine tenths of the digits and embed the rest.

    Args:
        loss: one of `TOY_LOSSES`.
        dim: feature dimension, 2 or 3.
        seed: seed of weights and sample order.
        steps: number of steps, 128 digits each.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    images, labels = _digits()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    images, labels = images[order], labels[order]
    held_out = len(images) // 10
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(dim)
        criterion = losses.create(loss.name, dim, DIGITS, **dict(loss.options))
        _train(network, criterion, images[held_out:], labels[held_out:], steps)
    with torch.inference_mode():
        embedded = network.eval()(images)
    features = embedded[:held_out]
    means = torch.stack([embedded[held_out:][labels[held_out:] == digit].mean(0) for digit in range(DIGITS)])
    cosine = nn.functional.normalize(features) @ nn.functional.normalize(means).T
    accuracy = (cosine.argmax(1) == labels[:held_out]).float().mean()
    score = losses.angular_fisher_score(features, labels[:held_out])
    return ToyFeatures(
        loss, features.numpy(), labels[:held_out].numpy(), means.numpy(), float(score), float(accuracy)
    )


def _digits() -> tuple[Tensor, Tensor]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("the toy digits come with scikit-learn: pip install 'facepipe[inspect]'") from error
    digits = load_digits()
    images = torch.from_numpy(digits.images).float().div_(16).sub_(0.5)[:, None]
    return images, torch.from_numpy(digits.target).long()


def _network(dim: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.PReLU(32), nn.Conv2d(32, 64, 3, 2, padding=1), nn.PReLU(64)),
        *(nn.Flatten(), nn.Linear(64 * 16, 128), nn.PReLU(128), nn.Linear(128, dim)),
    )


def _train(network: nn.Module, criterion: losses.Loss, images: Tensor, labels: Tensor, steps: int) -> None:
    parameters = [*network.parameters(), *criterion.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(1, steps + 1):
        rows = torch.randint(len(images), (128,))
        criterion(network(images[rows]), labels[rows], step).loss.backward()
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()

