"""The ``[strangers]`` section of a recipe: images that are a person each; those that are alike are pushed apart."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class StrangersSection(BaseModel):
    """How much `facepipe.losses.strangers_term` counts, and how many strangers a micro-batch has.

    Strangers are the images of ``data.unlabelled`` whose age and sex are written beside them; a group is of one
    source, origin, sex and age band, drawn as often as the square root of its size says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Annotated[float, Field(ge=0)] = 0.0  # of the term; 0: there are no strangers
    margin: Annotated[float, Field(gt=-1, lt=1)] = 0.2  # cosine above which two strangers are too close
    scale: Annotated[float, Field(gt=0)] = 0.07  # of the cosine: how hard that border is
    trust: Annotated[float, Field(ge=0)] = 1.0  # weight of the teacher's word on a stranger
    share: Annotated[float, Field(ge=0, lt=1)] = 0.5  # of a micro-batch that are strangers
    groups: Annotated[int, Field(ge=1)] = 1  # in a micro-batch
    sources: list[str] = []  # that count, such as utk; empty: all
    others: bool = True  # images of data.unlabelled without age or sex are used too, for the teacher to speak of
    held_out: dict[str, Annotated[int, Field(ge=0)]] = {}  # source → images set aside to count false matches on
