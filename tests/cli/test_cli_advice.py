"""Messages that tell people what to type: commands, options, extras and recipes in them exist."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from cli_commands import ALL
from cli_run import refused

from facepipe.cli.main import COMMANDS, cli
from facepipe.train.recipe.schema import Recipe

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {name.split()[0] for name in ALL if " " in name}


def _options(command):
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)}


OPTIONS = {option for command in (cli, *ALL.values()) for option in _options(command)}
OTHERS = {"--help", "--version", "--max_grad_clip"}


@cache
def literals():
    """(file, text) of all strings; what is put into them is X."""
    return tuple(_literals())


def _literals():
    for path in sorted((ROOT / "facepipe").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
                yield path.relative_to(ROOT), "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
                yield path.relative_to(ROOT), node.value


_QUOTED = re.compile(r"'facepipe ([a-z](?:[^'\n]|\n(?!\s*\n))+)'")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w=])")


def quoted():
    """(file, words after facepipe) of all command lines in quotes."""
    return [(path, line) for path, text in literals() for line in _QUOTED.findall(text)]


def test_quoted_commands_exist():
    assert len(quoted()) > 40
    for path, line in quoted():
        words = line.split()
        grouped = words[0] in GROUPS and len(words) > 1 and words[1] != "..."
        name = " ".join(words[: 1 + grouped])
        assert name in ALL or name in COMMANDS, (path, line)
        known = _options(ALL[name]) if name in ALL else OPTIONS
        wrong = [word for word in words if re.match(r"--?[a-z]", word) and word not in known]
        assert not wrong, (path, line)


def test_options_that_are_named_exist():
    named = {(path, option) for path, text in literals() for option in _OPTION.findall(text)}
    assert len(named) > 60
    assert not {(path, option) for path, option in named if option not in OPTIONS | OTHERS}


def test_extras_and_recipes_that_are_named_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {extra for _, text in literals() for extra in re.findall(r"facepipe\[(\w+)\]", text)}
    assert named and named <= {*extras, "X"}
    recipes = {path.stem for path in (ROOT / "models/recipes").glob("*.toml")}
    trained = {line.split()[1] for _, line in quoted() if line.startswith("train ")}
    assert {name for name in trained if name.islower() and not name.startswith("-")} <= recipes


FREE = {"loss", "uncertainty"}
"""Sections whose fields are the options of what they name."""
FILES = {"model.onnx", "data.pkl"}


def test_fields_of_recipes_that_are_named_exist():
    sections = {name: get_args(field.annotation) or (field.annotation,) for name, field in Recipe.model_fields.items()}
    fields = {name: {key for each in kinds for key in getattr(each, "model_fields", ())}
              for name, kinds in sections.items()}  # fmt: skip
    form = re.compile(rf"(?<![\w./])({'|'.join(fields)})\.([a-z_]+)(?![\w.(])")
    named = {(path, *each) for path, text in literals() if " " in text for each in form.findall(text)}
    assert len({each[1:] for each in named}) > 20
    wrong = {each for each in named if each[1] not in FREE and each[2] not in fields[each[1]]}
    assert not {each for each in wrong if f"{each[1]}.{each[2]}" not in FILES}


@pytest.mark.parametrize(
    ("line", "maker"),
    [
        (["search", "face.jpg", "faces"], "facepipe embed IMAGES -o faces.parquet"),
        (["inspect", "angles", "faces.jpg"], "facepipe embed IMAGES -o faces.parquet"),
        (["identify", "face.jpg", "people.pq"], "facepipe gallery build DIR people.pq"),
        (["gallery", "add", "people", "face.jpg"], "facepipe gallery build DIR people.parquet"),
    ],
)
def test_what_is_said_to_make_a_missing_file_can_write_it(tmp_path, monkeypatch, line, maker):
    """The name that is suggested passes the check of outputs: what is refused then is the missing IMAGES or DIR."""
    monkeypatch.chdir(tmp_path)
    Path("face.jpg").touch()
    assert refused(*line).endswith(f"with '{maker}'")
    assert refused(*maker.split()[1:]).startswith(("IMAGES: no such file", "DIR: no such file"))
