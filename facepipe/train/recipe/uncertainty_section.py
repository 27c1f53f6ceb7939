"""The ``[uncertainty]`` section of a recipe: which head is trained, on which backbone."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class UncertaintySection(BaseModel):
    """A head on a backbone that is trained already. ``[model]`` is then that of the backbone's card.

    The loss stands in ``[loss]``: ``scf`` for heads that give κ, ``pfe`` or ``probface`` for those that give σ².
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    head: str = ""  # a name of facepipe.uncertainty; empty: a backbone is trained
    options: dict[str, Any] = {}  # of the head
    backbone: str = ""  # name, card or run folder of the model
    finetune_backbone: bool = False  # train all its weights too; otherwise they stay as they are
    # scf only. means: of the backbone's embeddings of each identity; checkpoint: class weights it was trained with
    centres: Literal["means", "checkpoint"] = "means"
    centres_file: str = ""  # with checkpoint; empty: classes.safetensors of the backbone's run
