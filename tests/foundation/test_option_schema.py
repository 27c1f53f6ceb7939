"""Options that are read off a function, of every type that TOML has, and None."""

from typing import Literal

import pytest

from facepipe.errors import ModelError
from facepipe.option_schema import OptionSchema


def build(
    size: int, *, width: float = 1.0, layers: int = 3, kind: Literal["a", "b"] = "a", label: str = "",
    limit: float | None = None, steps: tuple[int, ...] = (), deep: bool = False,
) -> None: ...


SCHEMA = OptionSchema(build)


def test_defaults():
    expected = {"width": 1.0, "layers": 3, "kind": "a", "label": "", "limit": None, "steps": (), "deep": False}
    assert SCHEMA.defaults == expected == SCHEMA.checked("thing", {})
    assert OptionSchema(build, {"more": (bool, True)}).defaults == expected | {"more": True}


def test_values_of_toml():
    given = {"width": 2, "label": "x", "limit": 0.5, "steps": [1, 2], "deep": True, "kind": "b"}
    assert SCHEMA.checked("thing", given) == SCHEMA.defaults | given | {"steps": (1, 2)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": True}, "thing: option width=True: Input should be a valid number"),
        ({"width": "1"}, "thing: option width='1': Input should be a valid number"),
        ({"width": float("nan")}, "thing: option width=nan: Input should be a finite number"),
        ({"layers": 2.0}, "thing: option layers=2.0: Input should be a valid integer"),
        ({"label": 1}, "thing: option label=1: Input should be a valid string"),
        ({"limit": "none"}, "thing: option limit='none': Input should be a valid number"),
        ({"steps": [1, "x"]}, r"thing: option steps=\[1, 'x'\]: Input should be a valid integer"),
        ({"kind": "c"}, "thing: option kind='c': Input should be 'a' or 'b'"),
        ({"widht": 1}, r"thing has no option 'widht'; did you mean 'width'\?"),
        ({"size": 1}, "thing has no option 'size'"),
    ],
)
def test_bad_options(given, message):
    with pytest.raises(ModelError, match=message) as caught:
        SCHEMA.checked("thing", given)
    assert "\n" not in str(caught.value)


def test_a_function_without_options():
    with pytest.raises(ModelError, match=r"thing has no option 'zzz'; it has no"):
        OptionSchema(lambda size: size).checked("thing", {"zzz": 1})


def test_an_option_that_is_not_keyword_only_is_refused():
    def wrong(size, width=1.0): ...

    with pytest.raises(TypeError, match="wrong: width has a default; put options after"):
        OptionSchema(wrong)
