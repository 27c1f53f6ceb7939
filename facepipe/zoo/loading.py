"""From a model's name to a network that is ready to run."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from facepipe.errors import ModelError
from facepipe.flips import FLIPS
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
    """The call that every network has: N×3×H×W float, normalised as the card says, to N×D float."""

    def __call__(self, x: Any, /) -> Any: ...


@dataclass(frozen=True)
class Model:
    """A network with its card.

    Attributes:
        card: how to feed the network and how to read what comes out.
        network: by PyTorch an ``nn.Module`` in evaluation mode, float32, or an ``OnnxNetwork``; by ONNX a
            ``GraphNetwork``.
        identity: ``name@`` and the first 12 digits of the weights' SHA-256.
        device: where the network is, a torch device; by ONNX ``cpu``.
        head: the uncertainty head, in evaluation mode, float32; it takes ``network.maps(x)``. None without one. By ONNX
            what is known of the one in the graph.
        engine: what runs it: ``torch`` or ``onnx``.
    """

    card: Card
    network: Network
    identity: str
    device: "torch.device | str"
    head: "UncertaintyHead | GraphHead | None" = None
    engine: str = "torch"

    def __repr__(self) -> str:
        """Which model, not its layers."""
        return f"Model({self.identity!r}, engine={self.engine!r}, device={str(self.device)!r})"

    def backbone(self) -> "Backbone":
        """The network, which is PyTorch's.

        Raises:
            ModelError: it runs from an ONNX graph, which has no layers to train or to put a head on.
        """
        from facepipe.backbones import Backbone

        if not isinstance(self.network, Backbone):
            raise ModelError(f"model {self.card.name} is an ONNX graph, which cannot be trained on")
        return self.network

    @property
    def is_onnx(self) -> bool:
        """Whether the weights are an ONNX file: then the network has no parameters, and float32 only."""
        return self.card.weights.format == "onnx"


def load(name_or_path: str | Path, device: "str | torch.device" = "cpu", engine: str = "torch") -> Model:
    """Load a model from the cache, a card file, an ONNX file of ``models export`` or a run folder; nothing is
    downloaded.

    Args:
        name_or_path: a name of ``available()``; the path of a card, with its weights in its folder or in the
            cache; a folder with ``card.toml``; or an ONNX file that carries its card.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or a torch device.
        engine: ``torch`` or ``onnx``, see `facepipe.engines.choose_engine`.

    Raises:
        ModelError: the model is unknown, not in the cache (the message says how to get it), damaged, does
            not fit its card, or has no graph for the ONNX engine.
        DeviceError: the device is not there.
    """
    card, weights = locate(name_or_path)
    if not is_present(weights):
        raise ModelError(_absent(card, weights))
    # An ONNX file that carries its card cannot say its own SHA-256.
    got = card.weights.sha256 if weights == Path(name_or_path) else sha256_of(weights)
    if got != card.weights.sha256:
        raise ModelError(
            f"{weights}: damaged or replaced: its SHA-256 is {got}, the card of {card.name} says "
            f"{card.weights.sha256}; {_again(card, weights)}"
        )
    if engine == "onnx":
        return _by_onnx(card, weights)
    if card.weights.format == "onnx" and card.uncertainty is not None:
        # PyTorch sees embeddings alone in such a file.
        return _by_onnx(card, weights, str(device))
    from facepipe.devices import choose_device

    chosen = choose_device(str(device))
    if card.weights.format == "onnx":
        return Model(card, _onnx(card, weights, chosen), card.identity, chosen)
    backbone, head = _torch(card, weights, chosen)
    return Model(card, backbone, card.identity, chosen, head)


def has_graph(name_or_path: str | Path) -> bool:
    """Whether the ONNX engine can run a model; also where there is no such model, which `load` tells."""
    try:
        card, weights = locate(name_or_path)
    except ModelError:
        return True
    return card.weights.format == "onnx" or is_present(outline_path(weights)) or not is_present(weights)


def _by_onnx(card: Card, weights: Path, device: str = "cpu") -> Model:
    from facepipe.zoo.graph_network import GraphNetwork

    path = weights if card.weights.format == "onnx" else outline_path(weights)
    if not is_present(path):
        raise ModelError(
            f"{card.name}: there is no graph beside its weights for "
            f"{parameter('engine', 'onnx')}; take {parameter('engine', 'torch')}, or write the "
            f"model with one: 'facepipe models export {card.name} FOLDER'"
        )
    # A face and its mirror image are embedded side by side, each by its share of the cores.
    threads = max(1, thread_count() // FLIPS[card.embedding.flip].views)
    device = "cpu" if device == "auto" else device
    network = GraphNetwork(path, card.input.size, threads, device, tried=path == weights)
    if path != weights and network.metadata.get(WEIGHTS_KEY) != card.weights.sha256:
        raise ModelError(f"{path}: the graph of other weights than those of {card.name}; export the model again")
    _check_dim(network.embedding_dim, card, weights)
    if (network.head is None) != (card.uncertainty is None):
        raise ModelError(f"{path}: the card of {card.name} and its graph do not agree on an uncertainty head")
    return Model(card, network, card.identity, "cpu", network.head, "onnx")


def locate(name_or_path: str | Path) -> tuple[Card, Path]:
    """The card that a name or path means, and where its weights are or would be.

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


def _torch(card: Card, weights: Path, device: "torch.device") -> "tuple[nn.Module, UncertaintyHead | None]":
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


def _onnx(card: Card, weights: Path, device: "torch.device") -> Network:
    from facepipe.zoo.onnx_network import OnnxNetwork

    network = OnnxNetwork(weights, device, card.input.size)
    _check_dim(network.embedding_dim, card, weights)
    return network


def _check_dim(dim: int, card: Card, weights: Path) -> None:
    if dim != card.embedding.dim:
        raise ModelError(f"{weights}: embeds in {dim} numbers, the card of {card.name} says {card.embedding.dim}")


def _absent(card: Card, weights: Path) -> str:
    from facepipe.zoo.download import by_hand

    if weights != cached_weights(card):
        return f"{weights}: no such file; weights belong into the folder of their card"
    if not card.weights.url:
        return f"the weights of {card.name} are not in the cache; add them with {by_hand(card)}"
    return (
        f"the weights of {card.name} are not in the cache; 'facepipe models pull {card.name}' fetches them; "
        f"without a network: {by_hand(card)}"
    )


def _again(card: Card, weights: Path) -> str:
    if weights == cached_weights(card) and card.weights.url:
        return f"fetch it again with 'facepipe models pull {card.name}'"
    return "restore the file, or correct the card"
