"""Recipes: everything that decides a training run, one TOML file whose every field is known and checked."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from facepipe.flips import FLIPS
from facepipe.train.data.augment import Augment
from facepipe.train.recipe.strangers_section import StrangersSection
from facepipe.train.recipe.uncertainty_section import UncertaintySection
from facepipe.train.teacher.targets import Teacher
from facepipe.train.trunk.section import Freeze
from facepipe.zoo.card import TemplateName

FlipName = Annotated[str, AfterValidator(FLIPS.checked)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A table of the recipe: unknown fields are errors, and values do not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSection(Section):
    """The network and how crops are fed to it; goes into the model card."""

    backbone: str = ""  # empty with [uncertainty] alone: all of this is then that of its backbone
    input_size: tuple[Positive, Positive] = (112, 112)  # height, width
    embedding_dim: Positive = 512
    template: TemplateName = "112x112"  # alignment template of the crops
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: float = 127.5
    scale: Annotated[float, Field(gt=0)] = 127.5  # (pixel − mean) / scale
    flip: FlipName = "sum"  # what embedding does with the mirror image
    weights: Literal["float32", "float16"] = "float32"  # number format of matrices in the finished file
    options: dict[str, Any] = {}


class LossSection(BaseModel):
    """The loss by name; further fields are its options, such as ``m``, ``s``, ``lambda_min``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options, by name."""
        return dict(self.model_extra or {})


class Data(Section):
    """Where crops come from and how they are kept."""

    paths: list[str] = []
    unlabelled: list[str] = []  # images without identity, for a teacher; shards or folders
    blends: Annotated[float, Field(ge=0)] = 0.0  # mixtures of two crops for each crop, for a teacher
    about: str = ""  # what the data are, for the card; empty: their paths
    licence: str = ""  # on what terms they may be used, for the card
    exclude: list[str] = []  # names of identities to leave out
    identity_depth: Positive = 1  # which folder below a path stands for the person; 1: the top one
    min_images: Positive = 2  # identities with fewer are left out
    max_images: Count = 0  # of an identity, those turned far to the side first; 0: all
    turned: Positive = 1  # times that a face turned by more than 35 degrees comes in an epoch; above 1 with [strangers]
    images_per_identity: Positive = 1  # neighbours in a batch; above 1: batches of identities × images, no epochs
    append_unaugmented: bool = False  # each batch once more without augmentation, as ProbFace; batch counts it once
    held_out: Count = 0  # identities set aside to calibrate thresholds on
    fit: Literal["middle", "resize"] = "middle"
    memory_gb: Annotated[float, Field(ge=0)] = 4.0  # for decoded crops, of all ranks of a machine together
    workers: Count = 0  # threads; 0: as many as cores, up to four
    ahead: Positive = 4  # batches
    cut_shards: Literal["refuse", "use"] = "refuse"
    max_corrupt: Fraction = 0.1  # share of samples that may be unreadable


class Optimiser(Section):
    """How gradients become steps."""

    name: Literal["sgd", "adam", "adamw"] = "sgd"  # adam: weight decay is part of the gradient
    lr: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    # sphereface: multipliers of the Caffe files; no-norm: no decay of biases and norms; all: one group
    groups: Literal["sphereface", "no-norm", "all"] = "all"
    loss_lr: Annotated[float, Field(gt=0)] = 1.0  # of what the loss learns (class weights), as a multiple of lr
    # Caffe keeps lr inside the velocity, so a drop of lr reaches old gradients late; PyTorch does not.
    lr_in_velocity: bool = False
    clip: Annotated[float, Field(ge=0)] = 0.0  # largest gradient norm; 0: none
    clip_value: Annotated[float, Field(ge=0)] = 0.0  # largest entry of a gradient, before the norm; 0: none

    @model_validator(mode="after")
    def _sgd_only(self) -> "Optimiser":
        if self.name != "sgd" and (self.lr_in_velocity or self.nesterov):
            raise ValueError("lr_in_velocity and nesterov go with name = 'sgd'")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Schedule(Section):
    """How long to train and how the learning rate goes."""

    name: Literal["constant", "multistep", "cosine", "polynomial"] = "multistep"
    unit: Literal["steps", "epochs"] = "steps"  # of length, warmup and milestones
    length: Annotated[float, Field(gt=0)]
    warmup: Annotated[float, Field(ge=0)] = 0
    milestones: list[float] = []
    factor: Annotated[float, Field(gt=0)] = 0.1  # multistep
    power: Annotated[float, Field(gt=0)] = 2.0  # polynomial
    final: Annotated[float, Field(ge=0)] = 0.0  # lr at the end, as a share of the base

    @model_validator(mode="after")
    def _in_order(self) -> "Schedule":
        if self.milestones != sorted(self.milestones):
            raise ValueError("milestones must ascend")
        if self.warmup >= self.length:
            raise ValueError("warmup must be shorter than length")
        return self


class Loop(Section):
    """The training loop."""

    batch: Positive  # of all ranks and micro-batches together
    accumulate: Positive = 1  # micro-batches for one step
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    channels_last: bool = True
    compile: bool = False
    deterministic: bool = True
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0  # decay of the averaged weights; 0: none
    seed: Count = 0
    log_every: Positive = 50
    checkpoint_every: Positive = 1000
    tensorboard: bool = False


class Evaluate(Section):
    """Verification of a pairs list (LFW's form) while training, and thresholds afterwards."""

    images: str = ""  # folder of photos or of aligned crops, NAME/NAME_0001.jpg
    pairs: str = ""
    aligned: bool = False  # the images are crops already
    every: Count = 0  # steps; 0: only at the end
    held_out: bool = False  # verify the identities of data.held_out as well
    fars: list[Annotated[float, Field(gt=0, lt=1)]] = [1e-2, 1e-3]

    @model_validator(mode="after")
    def _both(self) -> "Evaluate":
        if bool(self.images) != bool(self.pairs):
            raise ValueError("images and pairs go together")
        return self


class Distributed(Section):
    """Several processes under torchrun."""

    shard_classes: bool = True  # each rank keeps its part of the class weights
    sample_rate: Annotated[float, Field(gt=0, le=1)] = 1.0  # share of the classes in a step (PartialFC)
    # How long ranks wait for one that evaluates or writes alone, before the run ends with an error.
    timeout_minutes: Annotated[float, Field(gt=0)] = 120.0


class Recipe(Section):
    """A whole recipe, with its defaults filled in."""

    about: str = ""
    model: ModelSection = ModelSection()
    loss: LossSection
    data: Data = Data()
    augment: Augment = Augment()
    optimiser: Optimiser = Optimiser()
    schedule: Schedule
    loop: Loop
    evaluate: Evaluate = Evaluate()
    teacher: Teacher = Teacher()
    freeze: Freeze = Freeze()
    strangers: StrangersSection = StrangersSection()
    uncertainty: UncertaintySection = UncertaintySection()
    distributed: Distributed = Distributed()
    history: list[str] = []  # what resumed runs changed, and from which step on; written by facepipe

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        if not self.model.backbone and not self.uncertainty.head:
            raise ValueError("field model.backbone is missing")
        if self.uncertainty.head and self.teacher.model:
            raise ValueError("a head is trained on a backbone that is trained already: leave [teacher] out")
        sampled = self.distributed.sample_rate < 1
        if sampled and (self.optimiser.name != "sgd" or self.loop.accumulate > 1 or self.optimiser.nesterov):
            raise ValueError(
                "distributed.sample_rate below 1 needs optimiser sgd without nesterov and loop.accumulate = 1"
            )
        if not self.teacher.model and (self.data.unlabelled or self.data.blends):
            raise ValueError("data.unlabelled and data.blends teach nothing without a teacher; set teacher.model")
        if (self.freeze.until or self.strangers.weight) and not self.teacher.model:
            raise ValueError("[freeze] and [strangers] go with a teacher; set teacher.model")
        if self.freeze.until and not (self.teacher.begin and not self.teacher.same_view):
            raise ValueError("freeze.until needs teacher.begin = true and teacher.same_view = false")
        if self.teacher.keep and not self.freeze.until:
            raise ValueError("teacher.keep averages the student with what it began as: set freeze.until")
        if self.evaluate.held_out and not self.data.held_out:
            raise ValueError("evaluate.held_out needs identities; set data.held_out")
        return self
