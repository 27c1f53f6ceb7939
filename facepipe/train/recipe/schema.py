"""The schema of recipes: every setting of a training run, in one validated TOML file."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from facepipe.flips import FLIPS
from facepipe.train.data.augment import Augment
from facepipe.train.recipe.section import Section
from facepipe.train.teacher.targets import Teacher
from facepipe.zoo.card import TemplateName

FlipName = Annotated[str, AfterValidator(FLIPS.checked)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class ModelSection(Section):
    """The network and its input format; goes into the model card."""

    backbone: str = ""  # may be empty only with [uncertainty], whose backbone then fills in this section
    input_size: tuple[Positive, Positive] = (112, 112)  # height, width
    embedding_dim: Positive = 512
    template: TemplateName = "112x112"  # alignment template of the crops
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: float = 127.5
    scale: Annotated[float, Field(gt=0)] = 127.5  # (pixel − mean) / scale
    flip: FlipName = "sum"  # how the embedding of the mirror image is combined
    weights: Literal["float32", "float16"] = "float32"  # dtype of matrices in the finished model
    options: dict[str, Any] = Field(default_factory=dict)


class LossSection(BaseModel):
    """The loss by name; all other fields are its options, such as ``m``, ``s``, ``lambda_min``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options, by name."""
        return dict(self.model_extra or {})


class Data(Section):
    """The training crops and how they are loaded."""

    FORMER_NAMES: ClassVar[dict[str, str]] = {"ahead": "prefetch_batches", "turned": "profile_repeats"}

    paths: list[str] = Field(default_factory=list)
    unlabelled: list[str] = Field(default_factory=list)  # images without identity, for a teacher; shards or folders
    blends: Annotated[float, Field(ge=0)] = 0.0  # blends of two crops per crop, for a teacher
    about: str = ""  # description of the data, for the card; empty: their paths
    licence: str = ""  # their licence, for the card
    exclude: list[str] = Field(default_factory=list)  # names of identities to leave out
    identity_depth: Positive = 1  # folder level that names the identity; 1: the topmost below a path
    min_images: Positive = 2  # identities with fewer are left out
    max_images: Count = 0  # per identity, profile views first; 0: all
    profile_repeats: Positive = 1  # times per epoch of a face with a yaw above 35 degrees; above 1 with [strangers]
    images_per_identity: Positive = 1  # adjacent in a batch; above 1: batches of identities × images, no epochs
    append_unaugmented: bool = False  # append each batch without augmentation, as ProbFace; batch counts it once
    held_out: Count = 0  # identities set aside to calibrate thresholds on
    fit: Literal["middle", "resize"] = "middle"
    memory_gb: Annotated[float, Field(ge=0)] = 4.0  # for decoded crops, all ranks of a machine together
    workers: Count = 0  # threads; 0: one per core, up to four
    prefetch_batches: Positive = 4
    cut_shards: Literal["refuse", "use"] = "refuse"
    max_corrupt: Fraction = 0.1  # share of samples that may be unreadable


class Optimiser(Section):
    """The optimiser and its parameter groups."""

    name: Literal["sgd", "adam", "adamw"] = "sgd"  # adam: weight decay is part of the gradient
    lr: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    # sphereface: multipliers of the Caffe files; no-norm: no weight decay on biases and norms; all: one group
    groups: Literal["sphereface", "no-norm", "all"] = "all"
    loss_lr: Annotated[float, Field(gt=0)] = 1.0  # for parameters of the loss (class weights), as a multiple of lr
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
    """The length of the run and its learning rate schedule."""

    name: Literal["constant", "multistep", "cosine", "polynomial"] = "multistep"
    unit: Literal["steps", "epochs"] = "steps"  # of length, warmup and milestones
    length: Annotated[float, Field(gt=0)]
    warmup: Annotated[float, Field(ge=0)] = 0
    milestones: list[float] = Field(default_factory=list)
    factor: Annotated[float, Field(gt=0)] = 0.1  # multistep
    power: Annotated[float, Field(gt=0)] = 2.0  # polynomial
    final: Annotated[float, Field(ge=0)] = 0.0  # lr at the end, as a fraction of the base

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
    accumulate: Positive = 1  # micro-batches per step
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
    """Verification on a pairs list (LFW format) during training, and thresholds at the end."""

    images: str = ""  # folder of photos or of aligned crops, NAME/NAME_0001.jpg
    pairs: str = ""
    aligned: bool = False  # the images are already crops
    every: Count = 0  # steps; 0: only at the end
    held_out: bool = False  # verify the identities of data.held_out as well
    fars: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default=[1e-2, 1e-3])

    @model_validator(mode="after")
    def _both(self) -> "Evaluate":
        if bool(self.images) != bool(self.pairs):
            raise ValueError("images and pairs go together")
        return self


class Distributed(Section):
    """Several processes under torchrun."""

    shard_classes: bool = True  # each rank keeps its shard of the class weights
    sample_rate: Annotated[float, Field(gt=0, le=1)] = 1.0  # fraction of the classes in a step (PartialFC)
    # How long ranks wait for one that evaluates or writes alone before the run fails.
    timeout_minutes: Annotated[float, Field(gt=0)] = 120.0


class Freeze(Section):
    """The layers up to ``until`` run once over ``views`` of each crop; their outputs are cached on disk."""

    until: str = ""  # last frozen layer, such as blocks.11.depthwise; empty: all layers are trained
    views: Annotated[int, Field(ge=2)] = 3  # per crop: unchanged, mirrored, then augmented by [augment]
    cache: str = ""  # folder of the cached maps; empty: maps/ in the model cache


class StrangersSection(Section):
    """The weight of `facepipe.losses.strangers_term`, and the number of strangers in a micro-batch.

    Strangers are the images of ``data.unlabelled`` with a known age and sex; each counts as a person of its own. A
    group shares source, origin, sex and age band, and is drawn in proportion to the square root of its size.
    """

    weight: Annotated[float, Field(ge=0)] = 0.0  # of the term; 0: no strangers
    margin: Annotated[float, Field(gt=-1, lt=1)] = 0.2  # cosine above which two strangers are too close
    scale: Annotated[float, Field(gt=0)] = 0.07  # of the cosine: how sharp that limit is
    trust: Annotated[float, Field(ge=0)] = 1.0  # weight of the teacher's targets for strangers
    share: Annotated[float, Field(ge=0, lt=1)] = 0.5  # of a micro-batch that are strangers
    groups: Annotated[int, Field(ge=1)] = 1  # in a micro-batch
    sources: list[str] = Field(default_factory=list)  # sources to use, such as utk; empty: all
    others: bool = True  # also use images of data.unlabelled without age or sex, for the teacher's targets alone
    # source → images set aside to measure false matches on
    held_out: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


class UncertaintySection(Section):
    """A head on a trained backbone. ``[model]`` is then that of the backbone's card.

    The loss is set in ``[loss]``: ``scf`` for heads that predict κ, ``pfe`` or ``probface`` for heads that predict σ².
    """

    head: str = ""  # a name of facepipe.uncertainty; empty: a backbone is trained
    options: dict[str, Any] = Field(default_factory=dict)  # of the head
    backbone: str = ""  # name, card or run folder of the model
    finetune_backbone: bool = False  # also train all weights of the backbone, which are frozen otherwise
    # scf only. means: mean embedding of each identity; checkpoint: class weights the backbone was trained with
    centres: Literal["means", "checkpoint"] = "means"
    centres_file: str = ""  # with checkpoint; empty: classes.safetensors of the backbone's run


class Recipe(Section):
    """A whole recipe with its defaults filled in."""

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
    history: list[str] = Field(default_factory=list)  # settings changed on resume, and from which step

    @model_validator(mode="after")
    def _check_consistency(self) -> "Recipe":
        if not self.model.backbone and not self.uncertainty.head:
            raise ValueError("field model.backbone is missing")
        if self.uncertainty.head and self.teacher.model:
            raise ValueError("a head is trained on a trained backbone: leave [teacher] out")
        sampled = self.distributed.sample_rate < 1
        if sampled and (self.optimiser.name != "sgd" or self.loop.accumulate > 1 or self.optimiser.nesterov):
            raise ValueError(
                "distributed.sample_rate below 1 needs optimiser sgd without nesterov and loop.accumulate = 1"
            )
        if not self.teacher.model and (self.data.unlabelled or self.data.blends):
            raise ValueError("data.unlabelled and data.blends need a teacher; set teacher.model")
        if (self.freeze.until or self.strangers.weight) and not self.teacher.model:
            raise ValueError("[freeze] and [strangers] need a teacher; set teacher.model")
        if self.freeze.until and not (self.teacher.initialise and not self.teacher.same_view):
            raise ValueError("freeze.until needs teacher.initialise = true and teacher.same_view = false")
        if self.teacher.interpolate and not self.freeze.until:
            raise ValueError("teacher.interpolate averages the student with its initial weights: set freeze.until")
        if self.evaluate.held_out and not self.data.held_out:
            raise ValueError("evaluate.held_out needs held-out identities; set data.held_out")
        return self
