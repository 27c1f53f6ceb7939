"""Load a model by name, ready to run, and choose the engine to run it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from facepipe.engines import choose_engine
from facepipe.errors import ModelError
from facepipe.flips import FLIPS
from facepipe.imports import has_torch
from facepipe.parameters import parameter
from facepipe.threads import thread_count
from facepipe.weights import is_present, sha256_of
from facepipe.zoo.cache import cached_weights, is_cached
from facepipe.zoo.card import Card
from facepipe.zoo.card_file import read_card
from facepipe.zoo.catalogue import card_files, find_card
from facepipe.zoo.exported import CARD_FILE as CARD_FILE
from facepipe.zoo.exported import card_in
from facepipe.zoo.outline import WEIGHTS_KEY, outline_path

if TYPE_CHECKING:
    import torch
    from torch import nn

    from facepipe.backbones import Backbone
    from facepipe.uncertainty import UncertaintyHead
    from facepipe.zoo.graph_network import GraphHead


class Network(Protocol):
    """The interface of every network: N×3×H×W float, normalised as on the card, to N×D float."""

    def __call__(self, x: Any, /) -> Any: ...


@dataclass(frozen=True)
class Model:
    """A network with its card.

    Attributes:
        card: describes the network's input and output.
        network: with PyTorch an ``nn.Module`` in evaluation mode, float32, or an ``OnnxNetwork``; with the ONNX engine
            a ``GraphNetwork``.
        identity: identity of the model, see `Card.identity`.
        device: torch device of the network; ``cpu`` with the ONNX engine.
        head: the uncertainty head, in evaluation mode, float32, whose input is ``network.maps(x)``; with the ONNX
            engine a description of the one in the graph. None without one.
        engine: ``torch`` or ``onnx``.
    """

    card: Card
    network: Network
    identity: str
    device: "torch.device | str"
    head: "UncertaintyHead | GraphHead | None" = None
    engine: str = "torch"

    def __repr__(self) -> str:
        """The model's identity, without its layers."""
        return f"Model({self.identity!r}, engine={self.engine!r}, device={str(self.device)!r})"

    def backbone(self) -> "Backbone":
        """The network as a PyTorch backbone.

        Raises:
            ModelError: it is an ONNX graph, which cannot be trained or given a head.
        """
        from facepipe.backbones import Backbone

        if not isinstance(self.network, Backbone):
            raise ModelError(f"model {self.card.name} is an ONNX graph, which cannot be trained")
        return self.network

    @property
    def is_onnx(self) -> bool:
        """Whether the weights are an ONNX file; the network then has no parameters, and runs only in float32."""
        return self.card.weights.format == "onnx"


def load(
    name_or_path: str | Path, device: "str | torch.device" = "cpu", engine: str = "torch", flip: str | None = None
) -> Model:
    """Load a model from the cache, a card file, an ONNX file of ``models export`` or a run folder, without
    downloading.

    Args:
        name_or_path: a name of ``available()``; the path of a card, with its weights in its folder or in the
            cache; a folder with ``card.toml``; or an ONNX file with an embedded card.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or a torch device.
        engine: ``torch`` or ``onnx``, see `facepipe.engines.choose_engine`.
        flip: the flip rule it will be used with; None means the card's. The ONNX engine divides the cores by it.

    Raises:
        ModelError: the model is unknown, not in the cache (the message says how to get it), damaged, does
            not match its card, or has no graph for the ONNX engine.
        DeviceError: the device is not available.
    """
    card, weights = locate(name_or_path)
    if not is_present(weights):
        raise ModelError(_missing(card, weights))
    # A card embedded in an ONNX file cannot contain the file's SHA-256.
    got = card.weights.sha256 if weights == Path(name_or_path) else sha256_of(weights)
    if got != card.weights.sha256:
        raise ModelError(
            f"{weights}: damaged or replaced: its SHA-256 is {got}, but the card of {card.name} says "
            f"{card.weights.sha256}; {_remedy(card, weights)}"
        )
    if engine == "onnx":
        return _load_graph(card, weights, flip=flip)
    if card.weights.format == "onnx" and card.uncertainty is not None:
        # OnnxNetwork returns only embeddings.
        return _load_graph(card, weights, str(device), flip)
    from facepipe.devices import choose_device

    chosen = choose_device(str(device))
    if card.weights.format == "onnx":
        return Model(card, _load_onnx(card, weights, chosen), card.identity, chosen)
    backbone, head = _load_torch(card, weights, chosen)
    return Model(card, backbone, card.identity, chosen, head)


def has_graph(name_or_path: str | Path) -> bool:
    """Whether the ONNX engine can run a model; True for an unknown model, which `load` reports."""
    try:
        card, weights = locate(name_or_path)
    except ModelError:
        return True
    return card.weights.format == "onnx" or is_present(outline_path(weights)) or not is_present(weights)


def engine_for(
    models: Sequence[str | Path],
    engine: str = "auto",
    *,
    device: str = "auto",
    photos: int | None = None,
    precision: str = "",
    warp: str = "host",
) -> str:
    """`facepipe.engines.choose_engine` for these models: ``auto`` chooses PyTorch if one of them has no graph.

    Args:
        models: names and paths, as for `load`.
        engine, device, photos, precision, warp: as for `choose_engine`.
    """
    chosen = choose_engine(engine, device=device, photos=photos, precision=precision, warp=warp)
    if chosen == "onnx" and engine == "auto" and has_torch() and not all(map(has_graph, models)):
        return "torch"
    return chosen


def _load_graph(card: Card, weights: Path, device: str = "cpu", flip: str | None = None) -> Model:
    from facepipe.zoo.graph_network import GraphNetwork

    path = weights if card.weights.format == "onnx" else outline_path(weights)
    if not is_present(path):
        raise ModelError(
            f"{card.name}: its weights have no graph for {parameter('engine', 'onnx')}; use "
            f"{parameter('engine', 'torch')}, or export the model with one: 'facepipe models export {card.name} FOLDER'"
        )
    # A face and its mirror image are embedded in parallel, each on its share of the cores.
    threads = max(1, thread_count() // FLIPS[flip or card.embedding.flip].views)
    device = "cpu" if device == "auto" else device
    network = GraphNetwork(path, card.input.size, threads, device, verify=path == weights)
    if path != weights and network.metadata.get(WEIGHTS_KEY) != card.weights.sha256:
        raise ModelError(f"{path}: the graph does not belong to the weights of {card.name}; export the model again")
    _check_dim(network.embedding_dim, card, weights)
    if (network.head is None) != (card.uncertainty is None):
        raise ModelError(f"{path}: the card of {card.name} and its graph disagree about an uncertainty head")
    return Model(card, network, card.identity, "cpu", network.head, "onnx")


def locate(name_or_path: str | Path) -> tuple[Card, Path]:
    """The card of a name or path, and the path of its weights, which may not exist.

    Raises:
        ModelError: there is no such card or folder, or the card is damaged.
    """
    path = Path(name_or_path)
    name = str(name_or_path)
    if path.suffix == ".onnx" and name not in card_files():
        from facepipe.zoo.onnx_card import card_of

        return card_of(path), path
    if name not in card_files() and (path.suffix == ".toml" or path.is_dir() or len(path.parts) > 1):
        file = card_in(path) if path.is_dir() else path
        if path.suffix != ".toml" and not path.is_dir():
            raise ModelError(f"{path}: no such folder; a model is a name, a card file or a run folder")
        card = read_card(file)
        with_card = file.parent / PurePosixPath(card.weights.file)
        return card, cached_weights(card) if is_cached(card) and not is_present(with_card) else with_card
    card = find_card(name)
    return card, cached_weights(card)


def _load_torch(card: Card, weights: Path, device: "torch.device") -> "tuple[nn.Module, UncertaintyHead | None]":
    from facepipe.backbones import create
    from facepipe.backbones.blank import Blank
    from facepipe.zoo.checkpoint import find_state_dict, load_weights, read_checkpoint
    from facepipe.zoo.headed import Headed, head_for

    loaded = read_checkpoint(weights, "safetensors" if card.weights.format == "safetensors" else "torch")
    _, state = find_state_dict(loaded, weights, card.weights.key)
    with Blank():
        network = create(
            card.backbone or "",
            input_size=card.input.size,
            embedding_dim=card.embedding.dim,
            **card.backbone_options,
        )
        headed = None if card.uncertainty is None else Headed(network, head_for(network, card.uncertainty))
    if headed is None:
        load_weights(network, state, weights)
        return network.to(device).eval(), None
    load_weights(headed, state, weights)
    headed.to(device).eval()
    return headed.backbone, headed.head


def _load_onnx(card: Card, weights: Path, device: "torch.device") -> Network:
    from facepipe.zoo.onnx_network import OnnxNetwork

    network = OnnxNetwork(weights, device, card.input.size)
    _check_dim(network.embedding_dim, card, weights)
    return network


def _check_dim(dim: int, card: Card, weights: Path) -> None:
    if dim != card.embedding.dim:
        raise ModelError(
            f"{weights}: its embeddings have {dim} dimensions, but the card of {card.name} says {card.embedding.dim}"
        )


def _missing(card: Card, weights: Path) -> str:
    from facepipe.zoo.download import by_hand

    if weights != cached_weights(card):
        return f"{weights}: no such file; weights must be in the folder of their card"
    if not card.weights.url:
        return f"the weights of {card.name} are not in the cache; add them with {by_hand(card)}"
    return (
        f"the weights of {card.name} are not in the cache; 'facepipe models pull {card.name}' downloads them; "
        f"without network access: {by_hand(card)}"
    )


def _remedy(card: Card, weights: Path) -> str:
    if weights == cached_weights(card) and card.weights.url:
        return f"download it again with 'facepipe models pull {card.name}'"
    return "restore the file, or correct the card"
