"""Numbers that are none, or out of their range, are refused before anything is done."""

import click
import pytest
from cli_commands import ALL
from cli_run import run
from click.types import FloatParamType

from facepipe.cli import options
from facepipe.train import RecipeError, load_recipe

CASES = [
    ["compare", "a.jpg", "b.jpg", "--threshold", "nan"],
    ["compare", "a.jpg", "b.jpg", "--far", "0"],
    ["compare", "a.jpg", "b.jpg", "--far", "nan"],
    ["cluster", "s.parquet", "--threshold", "1.1"],
    ["cluster", "s.parquet", "--threshold", "nan"],
    ["identify", "a.jpg", "g.parquet", "--threshold", "inf"],
    ["identify", "a.mp4", "g.parquet", "--seconds", "-1"],
    ["identify", "a.mp4", "g.parquet", "--every", "0"],
    ["detect", "a.jpg", "--min-face", "nan"],
    ["detect", "a.jpg", "--max-pixels", "0"],
]


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_refused(words):
    ended = run(*words)
    assert ended.code == 2 and f"Invalid value for '{words[-2]}'" in ended.err and ended.out == ""


NUMBERS = [(name, each) for name, command in ALL.items() for each in command.params
           if isinstance(each.type, FloatParamType | click.FloatRange)]  # fmt: skip


@pytest.mark.parametrize(("name", "option"), NUMBERS, ids=lambda value: getattr(value, "name", value))
def test_no_number_of_any_command_is_infinite_or_none(name, option):
    assert isinstance(option.type, options.Number), f"{name} {option.opts[0]}"
    for word in ("nan", "inf", "-inf", "one"):
        with pytest.raises(click.BadParameter):
            option.type.convert(word, option, None)


@pytest.mark.parametrize("field", ["optimiser.lr=inf", "optimiser.lr=nan", "optimiser.weight_decay=-1", "loop.batch=0",
                                   "schedule.warmup=nan", "data.memory_gb=inf", "evaluate.fars=[2]"])  # fmt: skip
def test_numbers_of_recipes(field):
    with pytest.raises(RecipeError, match=field.partition("=")[0].replace(".", r"\.")):
        load_recipe("sphereface4-small", [field])


def test_help_tells_no_range_where_there_is_none():
    assert "None" not in run("identify", "--help").out and "0<x<1" in run("eval", "lfw", "--help").out
