"""Parts of cards against pydantic, which decided about the same fields before: what is taken, refused, and as what."""

import json
import math
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, Strict, ValidationError

from facepipe.errors import ModelError
from facepipe.zoo.checks import number, one_of, optional, options, part, positive_integer, several, text
from facepipe.zoo.part import FieldError, Part


@dataclass(frozen=True, kw_only=True)
class Inner(Part):
    size: Annotated[tuple[int, int], several(positive_integer, 2)] = (1, 1)
    share: Annotated[float | None, optional(number(least=0, most=1))] = None


@dataclass(frozen=True, kw_only=True)
class Whole(Part):
    name: Annotated[str, text("[a-z]+")]
    rate: Annotated[float, number(above=0, below=1)]
    inner: Annotated[tuple[Inner, ...], several(part(Inner))] = ()
    more: Annotated[dict[str, Any], options] = field(default_factory=dict)


class _Peer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PeerInner(_Peer):
    size: Annotated[tuple[PositiveInt, PositiveInt], Strict(False)] = (1, 1)
    share: Annotated[float | None, Field(ge=0, le=1)] = None


class PeerWhole(_Peer):
    name: Annotated[str, Field(pattern="^[a-z]+$")]
    rate: Annotated[FiniteFloat, Field(gt=0, lt=1)]
    inner: Annotated[tuple[PeerInner, ...], Strict(False)] = ()
    more: dict[str, bool | int | float | str] = {}


_SIZES = st.lists(st.one_of(st.integers(-1, 3), st.booleans(), st.floats(0, 2), st.text(max_size=1)), max_size=3)
_SHARES = st.one_of(st.none(), st.floats(-1, 2), st.integers(-1, 2), st.booleans(), st.text(max_size=1))
_INNER = st.fixed_dictionaries({}, optional={"size": _SIZES, "share": _SHARES, "shared": st.just(1)})
_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.sampled_from(["a", "bc", "", "A", "a1"]), st.integers()),
        "rate": st.one_of(st.floats(), st.integers(-1, 2), st.booleans(), st.text(max_size=2)),
        "inner": st.one_of(st.lists(_INNER, max_size=2), st.integers()),
        "more": st.dictionaries(st.text(max_size=2), st.one_of(st.integers(), st.none(), st.text(max_size=2))),
        "nmae": st.just("a"),
    },
)


@given(_VALUES)
def test_what_pydantic_takes_and_nothing_else(values):
    try:
        expected = PeerWhole.model_validate(values)
    except ValidationError as refused:
        with pytest.raises(FieldError) as caught:
            Whole.of(values)
        ours = {problem.place for problem in caught.value.problems}
        # Of several types that a value may have, pydantic's place says which one it is not.
        theirs = {error["loc"] for error in refused.errors()}
        assert all(any(place == loc[: len(place)] for place in ours) for loc in theirs), (ours, theirs)
        assert all(any(place == loc[: len(place)] for loc in theirs) for place in ours), (ours, theirs)
        return
    made = Whole.of(values)
    assert made.to_dict() == expected.model_dump()
    assert made.to_dict(defaults=False) == expected.model_dump(exclude_defaults=True)
    assert type(made.rate) is float
    assert Whole.of(json.loads(json.dumps(made.to_dict()))) == made


def test_made_by_hand_they_are_checked_as_well():
    with pytest.raises(ModelError, match=r"^field rate should be less than 1, got 1\.5$"):
        Whole(name="a", rate=1.5)
    with pytest.raises(FieldError, match=r"^field name should match \[a-z\]\+, got '' \(and 1 more problem\)$"):
        Whole(name="", rate=True, inner=(Inner(size=(2, 3)),))
    assert type(Whole(name="a", rate=np.float64(0.5)).rate) is float
    with pytest.raises(FieldError, match="should be a finite number"):
        Whole(name="a", rate=math.nan)


def test_choices():
    assert one_of("a", "b", "c")("b") == "b"
    for wrong in ("d", 1, None, ["a"]):
        with pytest.raises(ValueError, match=r"^should be 'a', 'b' or 'c'$"):
            one_of("a", "b", "c")(wrong)
