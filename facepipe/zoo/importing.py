"""Import files of weights into the cache: those of a known card, and foreign ones."""

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
    """Copy a file of weights into the cache, if it is that of the card.

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
        return target  # shipped with facepipe, whose folder may not be writable
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
    notify: Callable[[str], None] = lambda _: None,
) -> Card:
    """Import a checkpoint without a card: its weights and a new card for it go into the cache.

    The weights are checked against the network; whether they were trained with ``input`` cannot be checked. If a
    checkpoint has more than the network (a head, an optimiser, averaged weights), or an ONNX graph has external tensors
    or other inputs and outputs, only the network is imported, as a new file.

    Args:
        name: name of the new card: lower-case letters, digits, dots and dashes.
        path: a torch checkpoint, TorchScript, ``.safetensors`` or ``.onnx`` file.
        backbone: the network of the weights, one of ``facepipe.backbones.names()``; None for ONNX.
        input: cut and normalisation of its crops.
        flip: the flip rule.
        embedding_dim: dimension of one pass; None reads it from the weights.
        backbone_options: options of the network.
        title: one-line title of the model; empty uses the file's name.
        source: training data, licence etc.
        replace: overwrite a card that was imported before under this name.
        key, prefix: location of the network's tensors in a checkpoint in which several parts match; None searches
            everywhere.
        ends: inputs and outputs of an ONNX graph.
        notify: called with a line on what was left out.

    Returns:
        The new card; ``load(name)`` loads the model.

    Raises:
        ModelError: the name is taken or invalid, the file is damaged, or it does not match the network: then the
            message lists what is missing, unexpected or of another shape.
    """
    check_name(name, replace)
    form: Literal["torch", "safetensors", "onnx"] = _FORMATS.get(path.suffix.lower(), "torch")
    sha256_of(path)  # fails early if the file does not exist
    with TemporaryDirectory(prefix="facepipe-") as folder:
        if form == "onnx":
            if backbone or backbone_options:
                raise ModelError(f"{path}: an ONNX file includes its network; leave the backbone and its options out")
            extracted = _from_onnx(path, input, ends, Path(folder))
        elif not backbone:
            raise ModelError(f"{path}: which backbone are these weights for? See facepipe.backbones.names()")
        else:
            net = _Target(backbone, input, embedding_dim, backbone_options or {})
            extracted = _from_checkpoint(path, form, net, key, prefix, Path(folder))
        if embedding_dim not in (None, extracted.dim):
            raise ModelError(f"{path}: its embeddings have {extracted.dim} dimensions, not {embedding_dim}")
        if extracted.message:
            notify(f"{path}: {extracted.message}")
        card = Card(
            name=name,
            title=title or path.name,
            backbone=backbone,
            backbone_options=backbone_options or {},
            input=input,
            embedding=Embedding(dim=extracted.dim, flip=flip),
            weights=Weights(
                file=_plain(extracted.file.name),
                format=extracted.form,
                key=extracted.key,
                sha256=sha256_of(extracted.file),
                size_bytes=extracted.file.stat().st_size,
            ),
            source=source or CardSource(notes=extracted.origin),
        )
        import_weights(card, extracted.file)
    with writing_to_cache():
        user_cards().mkdir(parents=True, exist_ok=True)
    save_card(card, user_cards() / f"{name}.toml")
    return card


@dataclass(frozen=True)
class _Extracted:
    """The weights to import: file, embedding dimension, key of the state dict, notes."""

    file: Path
    form: Literal["torch", "safetensors", "onnx"]
    dim: int
    key: str = ""
    message: str = ""
    origin: str = ""


@dataclass(frozen=True)
class _Target:
    """The network to load the weights into."""

    backbone: str
    input: Input
    dim: int | None
    options: dict[str, Scalar]

    def create(self, found: int | None) -> "Backbone":
        """Create it, with embedding dimension ``found`` unless one was requested."""
        from facepipe.backbones import create
        from facepipe.backbones.blank import Blank

        with Blank():
            dim = self.dim if self.dim is not None else found
            return create(self.backbone, input_size=self.input.size, embedding_dim=dim, **self.options)

    def shapes(self, found: int | None) -> Shapes:
        """Names and shapes of its tensors."""
        return {name: tuple(tensor.shape) for name, tensor in self.create(found).state_dict().items()}


def check_name(name: str, replace: bool) -> None:
    """Check the name of a new model.

    Raises:
        ModelError: it is invalid, that of a shipped model, or taken while ``replace`` is not set.
    """
    if not re.fullmatch(CARD_NAME, name):
        raise ModelError(f"{name!r} is not a valid model name: use lowercase letters, digits, '.', '-', '_'")
    if is_shipped(name):
        raise ModelError(f"{name} is the name of a model shipped with facepipe; choose another")
    if name in card_files() and not replace:
        raise ModelError(f"{card_files()[name]}: {name} exists already; replace it or choose another name")


def _plain(name: str) -> str:
    return re.sub(r"[\\/:]", "_", name)


def _from_onnx(path: Path, input: Input, ends: OnnxEnds, folder: Path) -> _Extracted:
    from facepipe.zoo.graph_network import GraphNetwork

    data = self_contained(path, ends)
    if data is None:
        return _Extracted(path, "onnx", GraphNetwork(path, input.size).embedding_dim)
    rewritten = folder / path.name
    rewritten.write_bytes(data)
    dim = GraphNetwork(rewritten, input.size, name=str(path)).embedding_dim
    return _Extracted(rewritten, "onnx", dim, origin=_origin(path))


def _from_checkpoint(
    path: Path,
    form: Literal["torch", "safetensors"],
    net: _Target,
    key: str | None,
    prefix: str | None,
    folder: Path,
) -> _Extracted:
    from facepipe.zoo.torch_script import is_torch_script

    loaded = read_checkpoint(path, form)
    fit = fit_network(loaded, path, net.shapes, key, prefix)
    if fit is None:
        # Raises an error that lists what is missing, unexpected or of another shape.
        found, state = find_state_dict(loaded, path, key)
        network = net.create(_found_dim(net, state))
        load_weights(network, state, path)
        return _checked(_Extracted(path, form, network.embedding_dim, found), network, path)
    network = net.create(_found_dim(net, fit.state))
    try:
        _, state = find_state_dict(loaded, path, fit.key)
        load_weights(network, state, path)
        whole = form == "safetensors" or not is_torch_script(path)
    except ModelError:
        load_weights(network, fit.state, path)
        whole = False
    if whole:
        return _checked(_Extracted(path, form, network.embedding_dim, fit.key), network, path)
    from safetensors.torch import save_file

    file = folder / f"{path.stem}.safetensors"
    save_file({name: tensor.contiguous().clone() for name, tensor in fit.state.items()}, file)
    extracted = _Extracted(file, "safetensors", network.embedding_dim, "", fit.message(), _origin(path, fit))
    return _checked(extracted, network, path)


def _checked(extracted: _Extracted, network: "Backbone", path: Path) -> _Extracted:
    """Refuse a network whose embedding of a random crop is not finite."""
    import torch

    crop = torch.rand((1, 3, *network.input_size), generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        if not network.eval()(crop).isfinite().all():
            raise ModelError(f"{path}: the embedding of a crop is not finite; use an earlier checkpoint")
    return extracted


def _origin(path: Path, fit: Fit | None = None) -> str:
    place = "" if fit is None else f", key {fit.key or '(top)'}, prefix {fit.prefix or '(none)'}"
    return f"taken from {path.name} (SHA-256 {sha256_of(path)}{place})"


def _found_dim(net: _Target, state: StateDict) -> int | None:
    """The embedding dimension of the weights: every network ends in a tensor with one value per dimension."""
    expected = net.shapes(None)
    last = [name for name, shape in expected.items() if shape][-1]
    found = without_prefix(state, set(expected)).get(last)
    return int(found.shape[0]) if found is not None and found.ndim else None
