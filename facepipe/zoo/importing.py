"""Bringing files of weights into the cache by hand: those of a known card, and foreign ones."""

import re
import shutil
from pathlib import Path
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

if TYPE_CHECKING:
    from facepipe.backbones import Backbone

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
) -> Card:
    """Add a checkpoint that no shipped card describes: its weights and a card for it go into the cache.

    That the weights fit the network is checked; that they were trained with such ``input`` cannot be.

    Args:
        name: for the new card: small letters, digits, dots and dashes.
        path: of a torch checkpoint, a ``.safetensors`` or an ``.onnx`` file.
        backbone: the network that the weights are for, of ``facepipe.backbones.names()``; None for ONNX.
        input: how the crops are made and scaled for it.
        flip: the flip rule to embed with.
        embedding_dim: of one pass; None reads it from the weights.
        backbone_options: options of the network.
        title: one line about the model; empty takes the file's name.
        source: training data, licence and the like.
        replace: overwrite a card that was imported before under this name.

    Returns:
        The new card; ``load(name)`` loads the model.

    Raises:
        ModelError: the name is taken or impossible, the file is damaged, or it does not fit the network: then
            the message counts and names what is missing, unexpected or of another shape.
    """
    _check_name(name, replace)
    form: Literal["torch", "safetensors", "onnx"] = _FORMATS.get(path.suffix.lower(), "torch")
    digest = sha256_of(path)
    if form == "onnx":
        if backbone or backbone_options:
            raise ModelError(f"{path}: an ONNX file brings its own network; leave the backbone and its options out")
        key, dim = "", _onnx_dim(path, input)
    elif not backbone:
        raise ModelError(f"{path}: which backbone are these weights for? See facepipe.backbones.names()")
    else:
        key, dim = _torch_dim(path, form, backbone, input, embedding_dim, backbone_options or {})
    if embedding_dim not in (None, dim):
        raise ModelError(f"{path}: gives embeddings of {dim} numbers, not {embedding_dim}")
    card = Card(
        name=name,
        title=title or path.name,
        backbone=backbone,
        backbone_options=backbone_options or {},
        input=input,
        embedding=Embedding(dim=dim, flip=flip),
        weights=Weights(
            file=_plain(path.name), format=form, key=key, sha256=digest, size_bytes=path.stat().st_size
        ),
        source=source or CardSource(),
    )
    import_weights(card, path)
    with writing_to_cache():
        user_cards().mkdir(parents=True, exist_ok=True)
    save_card(card, user_cards() / f"{name}.toml")
    return card


def _check_name(name: str, replace: bool) -> None:
    if not re.fullmatch(CARD_NAME, name):
        raise ModelError(f"{name!r} cannot name a model: use small letters, digits, '.', '-' and '_'")
    if is_shipped(name):
        raise ModelError(f"{name} is the name of a model that facepipe ships; choose another")
    if name in card_files() and not replace:
        raise ModelError(f"{card_files()[name]}: {name} is there already; replace it or take another name")


def _plain(name: str) -> str:
    return re.sub(r"[\\/:]", "_", name)


def _onnx_dim(path: Path, input: Input) -> int:
    from facepipe.zoo.graph_network import GraphNetwork

    return GraphNetwork(path, input.size).embedding_dim


def _torch_dim(
    path: Path,
    form: Literal["torch", "safetensors"],
    backbone: str,
    input: Input,
    dim: int | None,
    options: dict[str, Scalar],
) -> tuple[str, int]:
    """The key of the state dict and the embedding's length, after loading it into the network."""
    key, state = find_state_dict(read_checkpoint(path, form), path)
    network = _network(backbone, input, dim, options)
    if dim is None:
        network = _network(backbone, input, _found_dim(network, state), options)
    load_weights(network, state, path)
    return key, network.embedding_dim


def _network(backbone: str, input: Input, dim: int | None, options: dict[str, Scalar]) -> "Backbone":
    from facepipe.backbones import create
    from facepipe.backbones.blank import Blank

    with Blank():
        return create(backbone, input_size=input.size, embedding_dim=dim, **options)


def _found_dim(network: "Backbone", state: StateDict) -> int | None:
    """Every network here ends in a tensor with one number per embedding entry."""
    expected = network.state_dict()
    last = [name for name, tensor in expected.items() if tensor.ndim][-1]
    found = without_prefix(state, set(expected)).get(last)
    return int(found.shape[0]) if found is not None and found.ndim else None
