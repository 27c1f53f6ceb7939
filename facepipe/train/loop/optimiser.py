"""Optimisers: parameter groups, learning rate, Caffe's momentum, and state as named tensors."""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from facepipe.errors import ModelError
from facepipe.train.recipe.schema import Optimiser
from facepipe.zoo.headed import Trainable

Names = dict[nn.Parameter, str]


def trained_parameters(net: nn.Module, loss: nn.Module, exclude: Iterable[nn.Parameter] = ()) -> Names:
    """Every trained parameter but those to ``exclude``, with its name (``net.…`` or ``loss.…``)."""
    excluded = set(exclude)
    return {
        parameter: f"{part}.{name}"
        for part, module in (("net", net), ("loss", loss))
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and parameter not in excluded
    }


def create_optimiser(settings: Optimiser, net: Trainable, names: Names) -> torch.optim.Optimizer:
    """SGD, Adam or AdamW over ``names``; each group has a ``base_lr``, which ``set_rate`` scales to ``lr``.

    Raises:
        ModelError: ``groups = "sphereface"`` with a network that has no such groups.
    """
    groups = _groups(settings, net, names)
    for group in groups:
        group["base_lr"] = group["lr"]
    # One pass over memory; without it, on a CPU, updating fc5 alone costs as much as a layer.
    fused = all(parameter.device.type in ("cpu", "cuda") for parameter in names)
    if settings.name in ("adam", "adamw"):
        kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
        return kind(groups, lr=settings.lr, betas=settings.betas, fused=fused)
    return torch.optim.SGD(
        groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov, fused=fused
    )


def _groups(settings: Optimiser, net: Trainable, names: Names) -> list[dict[str, Any]]:
    lr, decay = settings.lr, settings.weight_decay
    if settings.groups == "sphereface":
        groups = net.published_groups(lr, decay)
        if groups is None:
            raise ModelError(
                f"optimiser.groups = 'sphereface' does not fit {type(net).__name__}; use 'no-norm' or 'all'"
            )
        of_loss = [parameter for parameter, name in names.items() if name.startswith("loss.")]
        biases = [parameter for parameter in of_loss if parameter.ndim < 2]
        groups.append(_group([parameter for parameter in of_loss if parameter.ndim > 1], lr, decay))
        groups.append(_group(biases, 2 * lr, 0.0))
    elif settings.groups == "no-norm":
        groups = [
            _group([parameter for parameter in names if parameter.ndim > 1], lr, decay),
            _group([parameter for parameter in names if parameter.ndim < 2], lr, 0.0),
        ]
    else:
        groups = [_group(list(names), lr, decay)]
    if settings.loss_lr != 1:
        groups = [part for group in groups for part in _split_loss(group, names, settings.loss_lr)]
    return [group for group in groups if group["params"]]


def _split_loss(group: dict[str, Any], names: Names, factor: float) -> list[dict[str, Any]]:
    """Split a group into the network's parameters, and the loss's at ``factor`` times the learning rate."""
    of_loss = [parameter for parameter in group["params"] if names[parameter].startswith("loss.")]
    others = [parameter for parameter in group["params"] if not names[parameter].startswith("loss.")]
    return [group | {"params": others}, group | {"params": of_loss, "lr": factor * group["lr"]}]


def _group(parameters: list[nn.Parameter], lr: float, decay: float) -> dict[str, Any]:
    return {"params": parameters, "lr": lr, "weight_decay": decay}


def decay_loss(optimiser: torch.optim.Optimizer) -> float:
    """½ Σ weight decay · ‖w‖², the regularisation loss that weight decay corresponds to."""
    squares = [
        group["weight_decay"] * parameter.detach().float().square().sum()
        for group in optimiser.param_groups
        for parameter in group["params"]
        if group["weight_decay"]
    ]
    return 0.5 * float(torch.stack(squares).sum()) if squares else 0.0


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group to ``rate`` times its base rate."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * rate


@torch.no_grad()
def carry_velocity(optimiser: torch.optim.Optimizer, before: float, now: float) -> None:
    """Make PyTorch's momentum behave as Caffe's when the rate changes from ``before`` to ``now``.

    Caffe keeps V = μV + lr·g and subtracts V; PyTorch keeps v = μv + g and subtracts lr·v. V = lr·v while lr is
    constant; when it changes, multiplying v by before/now leaves V unchanged.
    """
    if before == now:
        return
    for state in optimiser.state.values():
        if state.get("momentum_buffer") is not None:
            state["momentum_buffer"].mul_(before / now)


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: Names) -> dict[str, Tensor]:
    """The optimiser's state as tensors by ``PARAMETER.KEY``."""
    return {
        f"{names[cast(nn.Parameter, parameter)]}.{key}": value
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


@torch.no_grad()
def restore_optimiser(optimiser: torch.optim.Optimizer, names: Names, tensors: dict[str, Tensor]) -> None:
    """Restore the state saved by ``optimiser_tensors``; parameters without a tensor start without state."""
    of_name = {name: parameter for parameter, name in names.items()}
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition(".")
        if name not in of_name:
            continue
        parameter = of_name[name]
        like = parameter if tensor.shape == parameter.shape else tensor
        # In the parameter's memory format (channels last), or the fused step would convert it each time.
        target = torch.empty_like(like, dtype=tensor.dtype, device=parameter.device)
        optimiser.state[parameter][key] = target.copy_(tensor)
