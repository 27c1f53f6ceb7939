"""The rooms that documents and import contracts speak of are those that there are."""

import re
import tomllib
from pathlib import Path

import facepipe

ROOT = Path(facepipe.__file__).parent
PROJECT = Path(__file__).parents[2]
ROOMS = {
    path.stem
    for path in ROOT.iterdir()
    if (path.suffix == ".py" or (path / "__init__.py").is_file()) and not path.stem.startswith("_")
}


def test_the_import_contract_holds_every_room():
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    held = [room.removeprefix("facepipe.") for row in layers for room in re.split(r"[|:\s]+", row)]
    assert sorted(held) == sorted(ROOMS)


def test_the_table_of_rooms_has_every_room():
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(ROOMS)


def test_files_that_are_named_are_there():
    """Paths in CONTRIBUTING.md; NAME and ROOM stand for any."""
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:facepipe|tests|docs|models|requirements)/[\w/.]+)", text))
    assert len(named) > 15
    for path in named:
        folder = Path(*[part for part in Path(path).parts if not re.match(r"NAME|ROOM", part)])
        assert (PROJECT / folder).exists(), path
