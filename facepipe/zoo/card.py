"""The model card: all data needed to run a model and interpret its results, without code."""

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
"""A name in `facepipe.alignment.TEMPLATES`."""
Population = Literal["random", "alike"]
Scalar = bool | int | float | str
CARD_NAME = r"[a-z0-9][a-z0-9._-]*"

_Text = Annotated[str, text()]
_Name = Annotated[str, text(CARD_NAME)]
_Number = Annotated[float, number()]
_Lines = Annotated[tuple[str, ...], several(text())]
_Options = Annotated[dict[str, Scalar], options]
_OptionalFlip = Annotated[Flip | None, optional(FLIPS.checked)]


def _ascending(value: Any) -> tuple[float, ...]:
    quantiles: tuple[float, ...] = several(number())(value)
    if len(quantiles) == 1 or list(quantiles) != sorted(quantiles):
        raise ValueError("must be two or more ascending numbers")
    return quantiles


def _inside(value: Any) -> str:
    file: str = text()(value)
    path = PurePosixPath(file)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file:
        raise ValueError("must be a file name, or a path with / below the card's folder")
    return file


@dataclass(frozen=True, kw_only=True)
class Input(Part):
    """The network's input: crops of ``size`` (H, W), normalised as (pixel - mean) / scale with pixels 0…255.

    ``fit`` says how crops of another size are fitted to ``size``, see `facepipe.alignment.fit`.
    """

    size: Annotated[tuple[int, int], several(positive_integer, 2)]
    template: Annotated[TemplateName, one_of("112x96", "112x112", "112x112-cp2tform")]
    fit: Annotated[Literal["middle", "resize"], one_of("middle", "resize")] = "middle"
    channels: Annotated[Literal["rgb", "bgr"], one_of("rgb", "bgr")]
    mean: _Number
    scale: Annotated[float, number(above=0)]


@dataclass(frozen=True, kw_only=True)
class Embedding(Part):
    """The network's output: ``dim`` values per pass, combined with those of the mirror image by the rule ``flip``.

    With ``concat`` an embedding has 2·``dim`` values.
    """

    dim: Annotated[int, positive_integer]
    flip: Annotated[Flip, FLIPS.checked]


@dataclass(frozen=True, kw_only=True)
class Uncertainty(Part):
    """The uncertainty head, whose weights are in the backbone's file, with names under ``head.`` and ``backbone.``.

    ``quantiles`` are evenly spaced quantiles, from minimum to maximum, of κ or σ² on the held-out faces
    ``measured_on``; for a σ² per dimension, of its harmonic mean.
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
    """The file of weights. ``key`` locates the state dict in a torch checkpoint; empty for the top level."""

    file: Annotated[str, _inside]
    format: Annotated[Literal["torch", "safetensors", "onnx"], one_of("torch", "safetensors", "onnx")]
    sha256: Annotated[str, text(r"[0-9a-f]{64}")]
    url: Annotated[str, text(r"(https?://\S+)?")] = ""
    key: _Text = ""
    size_bytes: Annotated[int | None, optional(positive_integer)] = None


@dataclass(frozen=True, kw_only=True)
class Threshold(Part):
    """Scores of at least ``value`` mean the same person, at false-accept rate ``far``, measured on ``calibrated_on``.

    ``population`` is that of the impostors: ``random`` people, or people ``alike``, adults of the same sex, origin and
    age band, for the worst such group. ``tar`` is the true-accept rate, if measured. ``flip`` None means the card's
    flip rule.
    """

    far: Annotated[float, number(above=0, below=1)]
    value: _Number
    score: _Text = "cosine"
    flip: _OptionalFlip = None
    population: Annotated[Population, one_of("random", "alike")] = "random"
    tar: Annotated[float | None, optional(number(least=0, most=1))] = None
    calibrated_on: _Text


@dataclass(frozen=True, kw_only=True)
class Probability(Part):
    """log odds of a genuine pair = ``slope``·score + ``offset``, for equal priors.

    With ``confidence`` and ``interaction``, + ``confidence``·c + ``interaction``·score·c, where c is log κ or −log σ²
    of the less confident face, clipped to ``low`` … ``high``. ``flip`` None means the card's flip rule.
    """

    score: _Text = "cosine"
    flip: _OptionalFlip = None
    slope: _Number
    offset: _Number
    confidence: _Number = 0.0
    interaction: _Number = 0.0
    low: _Number = 0.0
    high: _Number = 0.0
    fitted_on: _Text

    def _check_consistency(self) -> None:
        if self.low > self.high or min(self.slope + self.interaction * end for end in (self.low, self.high)) <= 0:
            raise ValueError("must increase with the score: slope + interaction·c above 0 from low to high")


@dataclass(frozen=True, kw_only=True)
class CardSource(Part):
    """The origin of the model and its licence."""

    training_data: _Text = ""
    licence: _Text = ""
    homepage: _Text = ""
    paper: _Text = ""
    notes: _Text = ""


@dataclass(frozen=True, kw_only=True)
class Use(Part):
    """The intended use and the accuracy of the model, in words; ``log`` is a file in facepipe's documentation."""

    intended: _Text = ""
    not_for: _Text = ""
    accuracy: _Lines = ()
    weaknesses: _Lines = ()
    made_by: _Text = ""
    log: _Text = ""


@dataclass(frozen=True, kw_only=True)
class DetectorCard(Part):
    """The origin of a detector's weights; its input format is part of the detector."""

    name: _Name
    title: _Text
    weights: Annotated[Weights, part(Weights)]
    source: Annotated[CardSource, part(CardSource)] = CardSource()


@dataclass(frozen=True, kw_only=True)
class Card(Part):
    """A model card; ``backbone`` is absent exactly if the weights are ONNX, which include the network."""

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

    def _check_consistency(self) -> None:
        if self.weights.format == "onnx" and (self.backbone or self.backbone_options):
            raise ValueError("ONNX weights include their network: leave backbone and backbone_options out")
        if self.weights.format != "onnx" and not self.backbone:
            raise ValueError("field backbone is missing: it names the network of the weights")
        if self.weights.key and self.weights.format != "torch":
            raise ValueError("field weights.key is for torch checkpoints only")

    @property
    def identity(self) -> str:
        """The identity recorded in embeddings: ``name@``, 12 digits of the weights' SHA-256, ``/`` and the crops' cut.

        The cut, not the template's name, since the meaning of ``112x112`` has changed once.
        """
        from facepipe.alignment import template  # imports OpenCV, which listing cards does not need

        return f"{self.name}@{self.weights.sha256[:12]}/{template(self.input.template).identity}"

    def probability_of(self, score: str = "cosine", flip: str | None = None) -> Probability | None:
        """The curve for a score and a flip rule (None: the card's); None if the card has none."""
        default = self.embedding.flip
        matching = (p for p in self.probabilities if p.score == score and (p.flip or default) == (flip or default))
        return next(matching, None)

    def thresholds_of(
        self, score: str = "cosine", flip: str | None = None, population: Population = "random"
    ) -> list[Threshold]:
        """The thresholds for a score, a flip rule (None: the card's) and a population, highest rate first."""
        default = self.embedding.flip
        matching = (
            one
            for one in self.thresholds
            if (one.score, one.population) == (score, population) and (one.flip or default) == (flip or default)
        )
        return sorted(matching, key=lambda one: -one.far)

    def threshold_at(
        self, far: float, score: str = "cosine", flip: str | None = None, population: Population = "random"
    ) -> Threshold:
        """The decision threshold at a false-accept rate; nothing is interpolated.

        Args:
            far: false-accept rate in (0, 1).
            score: the score of the threshold.
            flip: the flip rule of the embeddings; None is the card's.
            population: the population of impostors.

        Raises:
            ModelError: the card has none; names the rates it has.
        """
        matching = self.thresholds_of(score, flip, population)
        for threshold in matching:
            if math.isclose(threshold.far, far, rel_tol=1e-9):
                return threshold
        what = f"{score} scores" + (f" with flip {flip}" if flip and flip != self.embedding.flip else "")
        if population == "alike":
            what += " among people who are alike"
        if not matching:
            raise ModelError(f"model {self.name} has no decision thresholds for {what}; {_how_to(self, population)}")
        rates = ", ".join(f"{one.far:g}" for one in matching)
        message = f"model {self.name} has no threshold for {what} at FAR {far:g}; it has FAR {rates}"
        strictest = matching[-1]
        if far < strictest.far:
            message += f"; a stricter one needs more pairs than the strictest had ({strictest.calibrated_on})"
        raise ModelError(message)


def _how_to(card: Card, population: str) -> str:
    if population == "random":
        return f"measure some with 'facepipe calibrate {card.name} PAIRS|CROPS -o {card.name}.toml'"
    command = f"'facepipe calibrate {card.name} CROPS -o {card.name}.toml'"
    return f"{command} measures some if the crops have metadata with age and sex"


AnyCard = Card | DetectorCard
"""A card with a name and downloadable weights."""
