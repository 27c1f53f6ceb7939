"""The model card: everything that is needed to run a model and to judge what it says, and no code."""

import math
from bisect import bisect_right
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    Strict,
    field_validator,
    model_validator,
)

from facepipe.errors import ModelError
from facepipe.flips import FLIPS

Flip = Annotated[str, AfterValidator(FLIPS.checked)]
TemplateName = Literal["112x96", "112x112", "112x112-cp2tform"]
"""Those of `facepipe.alignment.TEMPLATES`."""
Population = Literal["random", "alike"]
Scalar = bool | int | float | str
CARD_NAME = r"[a-z0-9][a-z0-9._-]*"


class _Part(BaseModel):
    # Strict, so that a number in quotes is an error and not a number; TOML's lists stand for tuples.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Input(_Part):
    """What the network takes: crops of ``size`` (H, W), scaled as (pixel - mean) / scale with pixels 0…255.

    ``fit`` says how crops of the template become ``size`` where that is another: see `facepipe.alignment.fit`.
    """

    size: Annotated[tuple[PositiveInt, PositiveInt], Strict(False)]
    template: TemplateName
    fit: Literal["middle", "resize"] = "middle"
    channels: Literal["rgb", "bgr"]
    mean: FiniteFloat
    scale: Annotated[FiniteFloat, Field(gt=0)]


class Embedding(_Part):
    """``dim`` numbers come out of one pass of the network; ``flip`` says how the mirror image joins in.

    With ``concat`` an embedding has twice ``dim`` numbers.
    """

    dim: PositiveInt
    flip: Flip


class Uncertainty(_Part):
    """The uncertainty head, whose weights are in one file with the backbone's, under ``head.`` and ``backbone.``.

    ``quantiles``, evenly spaced from the least to the largest, are those of κ or σ² on faces of people not trained on,
    ``measured_on``; of a σ² per dimension, of its harmonic mean.
    """

    head: str
    options: dict[str, Scalar] = {}
    quantiles: Annotated[tuple[FiniteFloat, ...], Strict(False)] = ()
    measured_on: str = ""

    @field_validator("quantiles")
    @classmethod
    def _ascend(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if len(quantiles) == 1 or list(quantiles) != sorted(quantiles):
            raise ValueError("must be two or more numbers that ascend")
        return quantiles

    def share_below(self, value: float) -> float | None:
        """Share of the reference faces whose κ or σ² is below ``value``, 0 to 1; None without a reference."""
        if not self.quantiles:
            return None
        steps, above = len(self.quantiles) - 1, bisect_right(self.quantiles, value)
        if above in (0, steps + 1):
            return min(1.0, float(above))
        low, high = self.quantiles[above - 1], self.quantiles[above]
        return (above - 1 + (value - low) / (high - low)) / steps


class Weights(_Part):
    """The file of weights. ``key`` is where in a torch checkpoint the state dict lies; empty is its top."""

    file: str
    format: Literal["torch", "safetensors", "onnx"]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    key: str = ""
    size_bytes: PositiveInt | None = None

    @field_validator("file")
    @classmethod
    def _inside(cls, file: str) -> str:
        path = PurePosixPath(file)
        if not path.name or path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file:
            raise ValueError("must be a file name, or a path with / below the card's folder")
        return file


class Threshold(_Part):
    """Same person from ``value`` on, at false-accept rate ``far``, as measured on ``calibrated_on``.

    ``population`` says which strangers: people at ``random``, or people ``alike``, adults of one sex, origin and age
    band, of whom the worst group counts. ``tar`` is the share of genuine pairs accepted, where it was measured.
    ``flip`` None means the card's own flip rule.
    """

    far: Annotated[float, Field(gt=0, lt=1)]
    value: FiniteFloat
    score: str = "cosine"
    flip: Flip | None = None
    population: Population = "random"
    tar: Annotated[float | None, Field(ge=0, le=1)] = None
    calibrated_on: str


class Probability(_Part):
    """log odds of one person against two = ``slope``·score + ``offset``, where both are equally likely beforehand.

    With ``confidence`` and ``interaction``, + ``confidence``·c + ``interaction``·score·c: c is log κ, or −log σ², of
    the face of which the model is less sure, kept between ``low`` and ``high``. ``flip`` None means the card's own flip
    rule.
    """

    score: str = "cosine"
    flip: Flip | None = None
    slope: FiniteFloat
    offset: FiniteFloat
    confidence: FiniteFloat = 0.0
    interaction: FiniteFloat = 0.0
    low: FiniteFloat = 0.0
    high: FiniteFloat = 0.0
    fitted_on: str

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.low > self.high or min(self.slope + self.interaction * end for end in (self.low, self.high)) <= 0:
            raise ValueError("must rise with the score: slope + interaction·c above 0 from low to high")
        return self


class CardSource(_Part):
    """Where the model comes from and on what terms."""

    training_data: str = ""
    licence: str = ""
    homepage: str = ""
    paper: str = ""
    notes: str = ""


class Use(_Part):
    """What the model is for and how well it does it, in words; ``log`` is a file in facepipe's documentation."""

    intended: str = ""
    not_for: str = ""
    accuracy: Annotated[tuple[str, ...], Strict(False)] = ()
    weaknesses: Annotated[tuple[str, ...], Strict(False)] = ()
    made_by: str = ""
    log: str = ""


class DetectorCard(_Part):
    """Where the weights of a detector come from; how it is fed is the detector's own business."""

    name: Annotated[str, Field(pattern=f"^{CARD_NAME}$")]
    title: str
    weights: Weights
    source: CardSource = CardSource()


class Card(_Part):
    """A model card; ``backbone`` is absent exactly when the weights are ONNX, a network in themselves."""

    name: Annotated[str, Field(pattern=f"^{CARD_NAME}$")]
    title: str
    backbone: str | None = None
    backbone_options: dict[str, Scalar] = {}
    input: Input
    embedding: Embedding
    uncertainty: Uncertainty | None = None
    weights: Weights
    thresholds: Annotated[tuple[Threshold, ...], Strict(False)] = ()
    probabilities: Annotated[tuple[Probability, ...], Strict(False)] = ()
    source: CardSource = CardSource()
    use: Use = Use()

    @model_validator(mode="after")
    def _network_is_known(self) -> Self:
        if self.weights.format == "onnx" and (self.backbone or self.backbone_options):
            raise ValueError("ONNX weights bring their own network: leave backbone and backbone_options out")
        if self.weights.format != "onnx" and not self.backbone:
            raise ValueError("field backbone is missing: it names the network that the weights fit")
        if self.weights.key and self.weights.format != "torch":
            raise ValueError("field weights.key is for torch checkpoints only")
        return self

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
        told = f"model {self.name} has no threshold for {what} at FAR {far:g}; it has FAR {rates}"
        strictest = fitting[-1]
        if far < strictest.far:
            told += f"; a stricter one takes more pairs than the strictest had ({strictest.calibrated_on})"
        raise ModelError(told)


def _how_to(card: Card, population: str) -> str:
    if population == "random":
        return f"measure some with 'facepipe calibrate {card.name} PAIRS|CROPS'"
    return f"'facepipe calibrate {card.name} CROPS' measures some where age and sex stand beside each crop"


AnyCard = Card | DetectorCard
"""Whatever has a name and weights that can be fetched."""
