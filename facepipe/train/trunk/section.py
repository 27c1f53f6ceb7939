"""The ``[freeze]`` section of a recipe: which layers stay as they were begun, and how often each crop is seen."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Freeze(BaseModel):
    """The layers up to ``until`` run once over ``views`` of each crop; what they give is kept on disk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    until: str = ""  # last layer that stays, such as blocks.11.depthwise; empty: all layers are trained
    views: Annotated[int, Field(ge=2)] = 3  # of each crop: as it is, mirrored, then augmented by [augment]
    cache: str = ""  # folder of the kept maps; empty: maps/ in the model cache
