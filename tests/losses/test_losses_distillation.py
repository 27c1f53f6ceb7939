"""The distillation loss against its formula longhand in float64, and what must not have a gradient."""

import losses_longhand as longhand
import numpy as np
import pytest
import torch

from facepipe import losses
from facepipe.errors import DatasetError, ModelError
from facepipe.losses import Distillation

M, D, C = 9, 6, 3
RNG = np.random.default_rng(5)
TARGETS = RNG.normal(size=(M, D))
TARGETS[4] = 0  # the teacher could not read this one
CLASSES = np.array([0, 1, 2, -1, 0, -1, 1, 2, -1])
ROWS = np.array([3, 0, 4, 8, 1, 0, 6])
X = RNG.normal(size=(len(ROWS), D))


def made(cosine=1.0, relational=0.0, weight=0.0, m=0.2):
    identity = losses.create("cosface", D, C, s=8.0, m=m) if weight else None
    return Distillation(
        torch.from_numpy(TARGETS),
        torch.from_numpy(CLASSES),
        cosine=cosine,
        relational=relational,
        identity=identity,
        identity_weight=weight,
    ).double()


def by_hand(x, cosine, relational):
    """Loops over samples and pairs, on real or complex x."""
    # The buffer is float32, as the loss keeps it.
    t = (longhand.unit(np.where(TARGETS == 0, 1, TARGETS).astype(np.float32)).astype(np.float64))[ROWS]
    u, known = longhand.unit(x), [i for i, row in enumerate(ROWS) if row != 4]
    first = sum(1 - (u[i] * t[i]).sum() for i in known) / len(known)
    pairs = [(i, j) for i in known for j in known if i != j]
    second = sum(((u[i] * u[j]).sum() - (t[i] * t[j]).sum()) ** 2 for i, j in pairs) / len(pairs)
    return cosine * first + relational * second


def value_and_gradient(loss, x=X):
    features = torch.tensor(x, requires_grad=True)
    out = loss(features, torch.from_numpy(ROWS), 1)
    out.loss.backward()
    return out, features.grad.numpy()


@pytest.mark.parametrize(("cosine", "relational"), [(1.0, 0.0), (0.0, 1.0), (0.7, 2.5)])
def test_forward_and_gradient_are_the_formula_longhand(cosine, relational):
    out, gradient = value_and_gradient(made(cosine, relational))
    assert out.loss.item() == pytest.approx(by_hand(X, cosine, relational), abs=1e-7)
    assert gradient == pytest.approx(longhand.gradient(lambda x: by_hand(x, cosine, relational), X), abs=1e-7)
    assert out.logged["teacher_cosine"].item() == pytest.approx(1 - by_hand(X, 1.0, 0.0), abs=1e-7)


def test_gradcheck():
    loss = made(1.0, 0.5, 0.3)
    features = torch.tensor(X, requires_grad=True)
    weight = loss.identity.classes.weight
    assert torch.autograd.gradcheck(lambda x, _: loss(x, torch.from_numpy(ROWS), 1).loss, (features, weight))


def test_the_identity_term_is_the_margin_loss_of_the_labelled_samples_alone():
    loss = made(0.0, 0.0, 0.5)
    out, gradient = value_and_gradient(loss)
    labelled = CLASSES[ROWS] >= 0
    alone = torch.tensor(X[labelled], requires_grad=True)
    expected = 0.5 * loss.identity(alone, torch.from_numpy(CLASSES[ROWS][labelled]), 1).loss
    expected.backward()
    assert out.loss.item() == pytest.approx(expected.item(), abs=1e-12)
    assert gradient[labelled] == pytest.approx(alone.grad.numpy(), abs=1e-12)
    assert (gradient[~labelled] == 0).all() and (~labelled).sum() == 2
    assert abs(gradient[labelled]).min() > 0


def test_a_batch_without_labels_gives_the_classes_a_zero_gradient():
    loss = made(1.0, 0.0, 0.5)
    features = torch.tensor(X[:2], requires_grad=True)
    loss(features, torch.tensor([3, 5]), 1).loss.backward()
    assert (loss.identity.classes.weight.grad == 0).all()
    assert (features.grad != 0).any()


def test_a_sample_without_target_has_no_gradient_and_alone_no_loss():
    _, gradient = value_and_gradient(made(1.0, 1.0))
    assert (gradient[ROWS == 4] == 0).all() and (gradient[ROWS != 4] != 0).any(1).all()
    assert made(1.0, 1.0)(torch.tensor(X[:1]), torch.tensor([4]), 1).loss.item() == 0


def test_class_weights_begin_at_the_mean_targets_and_stand_for_the_classes():
    loss = made(weight=0.1)
    unit = longhand.unit(np.where(TARGETS == 0, 1e-30, TARGETS)) * TARGETS.any(1)[:, None]
    means = longhand.unit(np.stack([unit[c == CLASSES].sum(0) for c in range(C)]))
    assert loss.identity.classes.weight.detach().numpy() == pytest.approx(means, abs=1e-6)
    assert torch.equal(loss.class_rows(), loss.identity.classes.weight.detach())
    assert made().class_rows().numpy() == pytest.approx(means, abs=1e-6)


def test_targets_stay_out_of_checkpoints():
    assert set(made(weight=0.1).state_dict()) == {"identity.classes.weight"}


def test_wrong_batches_are_refused():
    loss = made()
    with pytest.raises(ModelError):
        loss(torch.zeros(2, D + 1), torch.tensor([0, 1]), 1)
    with pytest.raises(DatasetError):
        loss(torch.zeros(2, D), torch.tensor([0, M]), 1)


def test_a_student_reaches_its_teacher():
    torch.manual_seed(0)
    student = torch.nn.Parameter(torch.randn(M, D, dtype=torch.float64))
    loss, optimiser = made(1.0, 1.0), torch.optim.Adam([student], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        out = loss(student, torch.arange(M), 1)
        out.loss.backward()
        optimiser.step()
    assert out.logged["teacher_cosine"].item() > 0.999
