"""How messages name parameters: as Python has them in the library, as options on the command line."""

import ast
import re
from pathlib import Path

import pytest
from cli_run import refused

import facepipe
from facepipe.devices import choose_device
from facepipe.errors import DeviceError
from facepipe.parameters import as_options, parameter


def test_both_spellings():
    assert parameter("on_miss", "skip") == "on_miss='skip'" and parameter("depth", 2) == "depth=2"
    assert parameter("overwrite", True) == "overwrite=True" and parameter("on_miss") == "on_miss"
    with as_options():
        assert parameter("on_miss", "skip") == "--on-miss skip" and parameter("depth", 2) == "--depth 2"
        assert parameter("overwrite", True) == "--overwrite" and parameter("on_miss") == "--on-miss"
        assert parameter("form", "csv", "format") == "--format csv" and parameter("run", option="out") == "--out"
    assert parameter("form", "csv", "format") == "form='csv'" and parameter("run", option="out") == "run"


def test_what_was_before_comes_back_after_an_error():
    with pytest.raises(KeyError), as_options():
        raise KeyError
    assert parameter("strict", True) == "strict=True"


def test_one_error_said_to_either(tmp_path):
    with pytest.raises(DeviceError, match=r"^device='quantum': no such device"):
        choose_device("quantum")
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert refused("embed", tmp_path, "-o", tmp_path / "e.parquet", "--device", "quantum").startswith(
        "--device quantum: no such device"
    )
    with pytest.raises(DeviceError, match=r"^device='quantum'"):
        choose_device("quantum")


def messages(tree):
    """String constants of a module that are no docstrings."""
    docs = {id(node.body[0].value) for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body
            and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    docs |= {id(node.value) for node in plain}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_no_message_of_the_library_names_an_option():
    """But in a whole command that it advises, such as 'facepipe eval ... --json'."""
    root = Path(facepipe.__file__).parent
    found = [
        f"{path.relative_to(root)}: {text}"
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).parts[0] not in ("cli", "_shipped", "parameters.py")
        for text in messages(ast.parse(path.read_text(encoding="utf-8")))
        if re.search(r"(?<![\w-])--[a-z]", re.sub(r"facepipe [a-z].*", "", text))
    ]
    assert found == []
