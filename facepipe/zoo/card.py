"""The model card: everything that is needed to run a model and to judge what it says, and no code."""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from facepipe.errors import ModelError
from facepipe.flips import FLIPS
from facepipe.zoo.checks import number, one_of, optional, options, part, positive_integer, several, text
from facepipe.zoo.part import Part

Flip = str
"""A name in `facepipe.flips.FLIPS`."""
TemplateName = Literal["112x96", "112x112", "112x112-cp2tform"]
"""Those of `facepipe.alignment.TEMPLATES`."""
Population = Literal["random", "alike"]
Scalar = bool | int | float | str
CARD_NAME = r"[a-z0-9][a-z0-9._-]*"

_Text = Annotated[str, text()]
_Name = Annotated[str, text(CARD_NAME)]
_Number = Annotated[float, number()]
_Lines = Annotated[tuple[str, ...], several(text())]
_Options = Annotated[dict[str, Scalar], options]
_FlipOrOwn = Annotated[Flip | None, optional(FLIPS.checked)]


def _ascending(value: Any) -> tuple[float, ...]:
    quantiles: tuple[float, ...] = several(number())(value)
    if len(quantiles) == 1 or list(quantiles) != sorted(quantiles):
        raise ValueError("must be two or more numbers that ascend")
    return quantiles


def _inside(value: Any) -> str:
    file: str = text()(value)
    path = PurePosixPath(file)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file:
        raise ValueError("must be a file name, or a path with / below the card's folder")
    return file



@dataclass(frozen=True, kw_only=True)
class Input(Part):
    """What the network takes: crops of ``size`` (H, W), scaled as (pixel - mean) / scale with pixels 0…255.

    ``fit`` says how crops of the template become ``size`` where that is another: see `facepipe.alignment.fit`.
    """

    size: Annotated[tuple[int, int], several(positive_integer, 2)]
    template: Annotated[TemplateName, one_of("112x96", "112x112", "112x112-cp2tform")]
    fit: Annotated[Literal["middle", "resize"], one_of("middle", "resize")] = "middle"
    channels: Annotated[Literal["rgb", "bgr"], one_of("rgb", "bgr")]
    mean: _Number
    scale: Annotated[float, number(above=0)]


@dataclass(frozen=True, kw_only=True)
class Embedding(Part):
    """``dim`` numbers come out of one pass of the network; ``flip`` says how the mirror image joins in.

    With ``concat`` an embedding has twice ``dim`` numbers.
    """

    dim: Annotated[int, positive_integer]
    flip: Annotated[Flip, FLIPS.checked]


@dataclass(frozen=True, kw_only=True)
class Uncertainty(Part):
    """The uncertainty head, whose weights are in one file with the backbone's, under ``head.`` and ``backbone.``.

    ``quantiles``, evenly spaced from the least to the largest, are those of κ or σ² on faces of people not trained on,
    ``measured_on``; of a σ² per dimension, of its harmonic mean.
    """

    head: _Text
    options: _Options = field(default_factory=dict)
    quantiles: Annotated[tuple[float, ...], _ascending] = ()
    measured_on: _Text = ""

    def share_below(self, value: float) -> float | None:
        """Share of the reference faces whose κ or σ² is below ``value``, 0 to 1; None without a reference."""
        if not self.quantiles:
            return None
        steps, above = len(self.quantiles) - 1, bisect_right(self.quantiles, value)
        if above in (0, steps + 1):
            return min(1.0, float(above))
        low, high = self.quantiles[above - 1], self.quantiles[above]
        return (above - 1 + (value - low) / (high - low)) / steps


@dataclass(frozen=True, kw_only=True)
class Weights(Part):
    """The file of weights. ``key`` is where in a torch checkpoint the state dict lies; empty is its top."""

    file: Annotated[str, _inside]
    format: Annotated[Literal["torch", "safetensors", "onnx"], one_of("torch", "safetensors", "onnx")]
    sha256: Annotated[str, text(r"[0-9a-f]{64}")]
    url: Annotated[str, text(r"(https?://\S+)?")] = ""
    key: _Text = ""
    size_bytes: Annotated[int | None, optional(positive_integer)] = None


@dataclass(frozen=True, kw_only=True)
class Threshold(Part):
    """Same person from ``value`` on, at false-accept rate ``far``, as measured on ``calibrated_on``.

    ``population`` says which strangers: people at ``random``, or people ``alike``, adults of one sex, origin and age
    band, of whom the worst group counts. ``tar`` is the share of genuine pairs accepted, where it was measured.
    ``flip`` None means the card's own flip rule.
    """

    far: Annotated[float, number(above=0, below=1)]
    value: _Number
    score: _Text = "cosine"
    flip: _FlipOrOwn = None
    population: Annotated[Population, one_of("random", "alike")] = "random"
    tar: Annotated[float | None, optional(number(least=0, most=1))] = None
    calibrated_on: _Text


@dataclass(frozen=True, kw_only=True)
class Probability(Part):
    """log odds of one person against two = ``slope``·score + ``offset``, where both are equally likely beforehand.

    With ``confidence`` and ``interaction``, + ``confidence``·c + ``interaction``·score·c: c is log κ, or −log σ², of
    the face of which the model is less sure, kept between ``low`` and ``high``. ``flip`` None means the card's own flip
    rule.
    """

    score: _Text = "cosine"
    flip: _FlipOrOwn = None
    slope: _Number
    offset: _Number
    confidence: _Number = 0.0
    interaction: _Number = 0.0
    low: _Number = 0.0
    high: _Number = 0.0
    fitted_on: _Text

    def _require_agreement(self) -> None:
        if self.low > self.high or min(self.slope + self.interaction * end for end in (self.low, self.high)) <= 0:
            raise ValueError("must rise with the score: slope + interaction·c above 0 from low to high")


@dataclass(frozen=True, kw_only=True)
class CardSource(Part):
    """Where the model comes from and on what terms."""

    training_data: _Text = ""
    licence: _Text = ""
    homepage: _Text = ""
    paper: _Text = ""
    notes: _Text = ""


@dataclass(frozen=True, kw_only=True)
class Use(Part):
    """What the model is for and how well it does it, in words; ``log`` is a file in facepipe's documentation."""

    intended: _Text = ""
    not_for: _Text = ""
    accuracy: _Lines = ()
    weaknesses: _Lines = ()
    made_by: _Text = ""
    log: _Text = ""


@dataclass(frozen=True, kw_only=True)
class DetectorCard(Part):
    """Where the weights of a detector come from; how it is fed is the detector's own business."""

    name: _Name
    title: _Text
    weights: Annotated[Weights, part(Weights)]
    source: Annotated[CardSource, part(CardSource)] = CardSource()


@dataclass(frozen=True, kw_only=True)
class Card(Part):
    """A model card; ``backbone`` is absent exactly when the weights are ONNX, a network in themselves."""

    name: _Name
    title: _Text
    backbone: Annotated[str | None, optional(text())] = None
    backbone_options: _Options = field(default_factory=dict)
    input: Annotated[Input, part(Input)]
    embedding: Annotated[Embedding, part(Embedding)]
    uncertainty: Annotated[Uncertainty | None, optional(part(Uncertainty))] = None
    weights: Annotated[Weights, part(Weights)]
    thresholds: Annotated[tuple[Threshold, ...], several(part(Threshold))] = ()
    probabilities: Annotated[tuple[Probability, ...], several(part(Probability))] = ()
    source: Annotated[CardSource, part(CardSource)] = CardSource()
    use: Annotated[Use, part(Use)] = Use()

    def _require_agreement(self) -> None:
        if self.weights.format == "onnx" and (self.backbone or self.backbone_options):
            raise ValueError("ONNX weights bring their own network: leave backbone and backbone_options out")
        if self.weights.format != "onnx" and not self.backbone:
            raise ValueError("field backbone is missing: it names the network that the weights fit")
        if self.weights.key and self.weights.format != "torch":
            raise ValueError("field weights.key is for torch checkpoints only")

    @property
    def identity(self) -> str:
        """What embeddings are stamped with: ``name@`` 12 digits of the weights' SHA-256 ``/`` how crops are cut.

        The template is a name, and what ``112x112`` stands for has changed once; the identity of a cut does not.
        """
        from facepipe.alignment import template  # loads OpenCV, which a list of cards does without

        return f"{self.name}@{self.weights.sha256[:12]}/{template(self.input.template).identity}"

    def probability_of(self, score: str = "cosine", flip: str | None = None) -> Probability | None:
        """The curve for a score and a flip rule, None being the card's own; None where the card has no such curve."""
        own = self.embedding.flip
        fitting = (p for p in self.probabilities if p.score == score and (p.flip or own) == (flip or own))
        return next(fitting, None)

    def thresholds_of(
        self, score: str = "cosine", flip: str | None = None, population: Population = "random"
    ) -> list[Threshold]:
        """The thresholds of a score, a flip rule (None: the card's own) and a population, loosest rate first."""
        own = self.embedding.flip
        fitting = (
            one
            for one in self.thresholds
            if (one.score, one.population) == (score, population) and (one.flip or own) == (flip or own)
        )
        return sorted(fitting, key=lambda one: -one.far)

    def threshold_at(
        self, far: float, score: str = "cosine", flip: str | None = None, population: Population = "random"
    ) -> Threshold:
        """The decision threshold at a false-accept rate; nothing is interpolated.

        Args:
            far: false-accept rate in (0, 1).
            score: the score that the threshold is for.
            flip: the flip rule that the embeddings were made with; None is the card's own.
            population: the strangers of whom that share is let through.

        Raises:
            ModelError: the card has none, naming the rates that it has.
        """
        fitting = self.thresholds_of(score, flip, population)
        for threshold in fitting:
            if math.isclose(threshold.far, far, rel_tol=1e-9):
                return threshold
        what = f"{score} scores" + (f" with flip {flip}" if flip and flip != self.embedding.flip else "")
        if population == "alike":
            what += " among people who are alike"
        if not fitting:
            raise ModelError(f"model {self.name} has no decision thresholds for {what}; {_how_to(self, population)}")
        rates = ", ".join(f"{one.far:g}" for one in fitting)
        message = f"model {self.name} has no threshold for {what} at FAR {far:g}; it has FAR {rates}"
        strictest = fitting[-1]
        if far < strictest.far:
            message += f"; a stricter one takes more pairs than the strictest had ({strictest.calibrated_on})"
        raise ModelError(message)


def _how_to(card: Card, population: str) -> str:
    if population == "random":
        return f"measure some with 'facepipe calibrate {card.name} PAIRS|CROPS -o {card.name}.toml'"
    command = f"'facepipe calibrate {card.name} CROPS -o {card.name}.toml'"
    return f"{command} measures some where age and sex stand beside each crop"


AnyCard = Card | DetectorCard
"""Whatever has a name and weights that can be fetched."""
