"""Bringing files of weights into the cache by hand: those of a known card, and foreign ones."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from facepipe.errors import ModelError
from facepipe.files import replacing
from facepipe.shipped import shipped
from facepipe.weights import sha256_of
from facepipe.zoo.cache import cached_weights, user_cards, writing_to_cache
from facepipe.zoo.card import CARD_NAME, AnyCard, Card, CardSource, Embedding, Flip, Input, Scalar, Weights
from facepipe.zoo.card_file import save_card
from facepipe.zoo.catalogue import card_files, is_shipped
from facepipe.zoo.checkpoint import StateDict, find_state_dict, load_weights, read_checkpoint, without_prefix
from facepipe.zoo.fitting import Fit, Shapes, fit_network
from facepipe.zoo.onnx_ends import OnnxEnds, self_contained

if TYPE_CHECKING:
    from facepipe.backbones import Backbone

USUAL_ENDS = OnnxEnds()
_FORMATS: dict[str, Literal["onnx", "safetensors"]] = {".onnx": "onnx", ".safetensors": "safetensors"}


def import_weights(card: AnyCard, path: Path) -> Path:
    """Copy a file of weights into the cache, if it is the one the card means.

    Returns:
        Path of the copy.

    Raises:
        ModelError: the file cannot be read or has another SHA-256, or the cache cannot be written.
    """
    got = sha256_of(path)
    if got != card.weights.sha256:
        raise ModelError(
            f"{path}: not the weights of {card.name}: SHA-256 must be {card.weights.sha256}, not {got}"
        )
    target = cached_weights(card)
    if target.is_relative_to(shipped("models")):
        return target  # it came with facepipe, whose folder may not be writable
    with writing_to_cache(), replacing(target) as temporary:
        shutil.copyfile(path, temporary)
    return target


def import_foreign(
    name: str,
    path: Path,
    *,
    backbone: str | None,
    input: Input,
    flip: Flip = "none",
    embedding_dim: int | None = None,
    backbone_options: dict[str, Scalar] | None = None,
    title: str = "",
    source: CardSource | None = None,
    replace: bool = False,
    key: str | None = None,
    prefix: str | None = None,
    ends: OnnxEnds = USUAL_ENDS,
    tell: Callable[[str], None] = lambda _: None,
) -> Card:
    """Add a checkpoint that no shipped card describes: its weights and a card for it go into the cache.

    That the weights fit the network is checked; that they were trained with such ``input`` cannot be. Of a checkpoint
    that holds more than the network (a head, an optimiser, a copy of averaged weights), or an ONNX graph with its
    tensors in another file or with other ends, the network alone is kept, as a file of its own.

    Args:
        name: for the new card: small letters, digits, dots and dashes.
        path: of a torch checkpoint, TorchScript too, a ``.safetensors`` or an ``.onnx`` file.
        backbone: the network that the weights are for, of ``facepipe.backbones.names()``; None for ONNX.
        input: how the crops are made and scaled for it.
        flip: the flip rule to embed with.
        embedding_dim: of one pass; None reads it from the weights.
        backbone_options: options of the network.
        title: one line about the model; empty takes the file's name.
        source: training data, licence and the like.
        replace: overwrite a card that was imported before under this name.
        key, prefix: where in a checkpoint the network's tensors lie, where several parts fit; None looks everywhere.
        ends: of an ONNX graph.
        tell: is given a line on what of the file was left out.

    Returns:
        The new card; ``load(name)`` loads the model.

    Raises:
        ModelError: the name is taken or impossible, the file is damaged, or it does not fit the network: then
            the message counts and names what is missing, unexpected or of another shape.
    """
    check_name(name, replace)
    form: Literal["torch", "safetensors", "onnx"] = _FORMATS.get(path.suffix.lower(), "torch")
    sha256_of(path)  # whether it is there at all
    with TemporaryDirectory(prefix="facepipe-") as folder:
        if form == "onnx":
            if backbone or backbone_options:
                raise ModelError(f"{path}: an ONNX file brings its own network; leave the backbone and its options out")
            taken = _of_onnx(path, input, ends, Path(folder))
        elif not backbone:
            raise ModelError(f"{path}: which backbone are these weights for? See facepipe.backbones.names()")
        else:
            net = _Wanted(backbone, input, embedding_dim, backbone_options or {})
            taken = _of_checkpoint(path, form, net, key, prefix, Path(folder))
        if embedding_dim not in (None, taken.dim):
            raise ModelError(f"{path}: gives embeddings of {taken.dim} numbers, not {embedding_dim}")
        if taken.message:
            tell(f"{path}: {taken.message}")
        card = Card(
            name=name,
            title=title or path.name,
            backbone=backbone,
            backbone_options=backbone_options or {},
            input=input,
            embedding=Embedding(dim=taken.dim, flip=flip),
            weights=Weights(
                file=_plain(taken.file.name),
                format=taken.form,
                key=taken.key,
                sha256=sha256_of(taken.file),
                size_bytes=taken.file.stat().st_size,
            ),
            source=source or CardSource(notes=taken.origin),
        )
        import_weights(card, taken.file)
    with writing_to_cache():
        user_cards().mkdir(parents=True, exist_ok=True)
    save_card(card, user_cards() / f"{name}.toml")
    return card


@dataclass(frozen=True)
class _Taken:
    """What is imported of a file: a file of weights, where the state dict lies in it, the embedding's length."""

    file: Path
    form: Literal["torch", "safetensors", "onnx"]
    dim: int
    key: str = ""
    message: str = ""
    origin: str = ""


@dataclass(frozen=True)
class _Wanted:
    """A network to be filled."""

    backbone: str
    input: Input
    dim: int | None
    options: dict[str, Scalar]

    def create(self, found: int | None) -> "Backbone":
        """With ``found`` as the length of its embedding, where none was asked for."""
        from facepipe.backbones import create
        from facepipe.backbones.blank import Blank

        with Blank():
            dim = self.dim if self.dim is not None else found
            return create(self.backbone, input_size=self.input.size, embedding_dim=dim, **self.options)

    def shapes(self, found: int | None) -> Shapes:
        """Names and shapes of its tensors."""
        return {name: tuple(tensor.shape) for name, tensor in self.create(found).state_dict().items()}


def check_name(name: str, replace: bool) -> None:
    """Refuse a name that no new model can have.

    Raises:
        ModelError: it is impossible, a shipped model's, or taken while ``replace`` is not set.
    """
    if not re.fullmatch(CARD_NAME, name):
        raise ModelError(f"{name!r} cannot name a model: use small letters, digits, '.', '-' and '_'")
    if is_shipped(name):
        raise ModelError(f"{name} is the name of a model that facepipe ships; choose another")
    if name in card_files() and not replace:
        raise ModelError(f"{card_files()[name]}: {name} is there already; replace it or take another name")


def _plain(name: str) -> str:
    return re.sub(r"[\\/:]", "_", name)


def _of_onnx(path: Path, input: Input, ends: OnnxEnds, folder: Path) -> _Taken:
    from facepipe.zoo.graph_network import GraphNetwork

    data = self_contained(path, ends)
    if data is None:
        return _Taken(path, "onnx", GraphNetwork(path, input.size).embedding_dim)
    whole = folder / path.name
    whole.write_bytes(data)
    dim = GraphNetwork(whole, input.size, name=str(path)).embedding_dim
    return _Taken(whole, "onnx", dim, origin=_origin(path))


def _of_checkpoint(
    path: Path,
    form: Literal["torch", "safetensors"],
    net: _Wanted,
    key: str | None,
    prefix: str | None,
    folder: Path,
) -> _Taken:
    from facepipe.zoo.torch_script import is_torch_script

    loaded = read_checkpoint(path, form)
    fit = fit_network(loaded, path, net.shapes, key, prefix)
    if fit is None:
        # Says what is missing, unexpected or of another shape.
        found, state = find_state_dict(loaded, path, key)
        network = net.create(_found_dim(net, state))
        load_weights(network, state, path)
        return _checked(_Taken(path, form, network.embedding_dim, found), network, path)
    network = net.create(_found_dim(net, fit.state))
    try:
        _, state = find_state_dict(loaded, path, fit.key)
        load_weights(network, state, path)
        whole = form == "safetensors" or not is_torch_script(path)
    except ModelError:
        load_weights(network, fit.state, path)
        whole = False
    if whole:
        return _checked(_Taken(path, form, network.embedding_dim, fit.key), network, path)
    from safetensors.torch import save_file

    own = folder / f"{path.stem}.safetensors"
    save_file({name: tensor.contiguous().clone() for name, tensor in fit.state.items()}, own)
    taken = _Taken(own, "safetensors", network.embedding_dim, "", fit.message(), _origin(path, fit))
    return _checked(taken, network, path)


def _checked(taken: _Taken, network: "Backbone", path: Path) -> _Taken:
    """Refuse a network that makes no numbers of a crop, whatever its weights are."""
    import torch

    crop = torch.rand((1, 3, *network.input_size), generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        if not network.eval()(crop).isfinite().all():
            raise ModelError(f"{path}: embeds a crop in numbers that are not finite; take an earlier checkpoint")
    return taken


def _origin(path: Path, fit: Fit | None = None) -> str:
    place = "" if fit is None else f", key {fit.key or '(top)'}, prefix {fit.prefix or '(none)'}"
    return f"taken from {path.name} (SHA-256 {sha256_of(path)}{place})"


def _found_dim(net: _Wanted, state: StateDict) -> int | None:
    """Every network here ends in a tensor with one number per embedding entry."""
    expected = net.shapes(None)
    last = [name for name, shape in expected.items() if shape][-1]
    found = without_prefix(state, set(expected)).get(last)
    return int(found.shape[0]) if found is not None and found.ndim else None
