"""The table of commands that go on with, or keep, what they made before: none is forgotten."""

import re
from pathlib import Path

import pytest
import test_cli_again as again
import test_cli_again_training as training
from changed_inputs import CHANGES
from cli_commands import ALL, DOORS

import facepipe

ROWS = {
    ("embed", "out"): [again.test_embed],
    ("preprocess", "out"): [again.test_preprocess],
    ("gallery build", "gallery"): [again.test_gallery],
    ("search", "index"): [again.test_search],
    ("find", "cache"): [again.test_find],
    ("train", "run"): [training.test_train],
    ("train", "cache"): [training.test_teacher],
    ("ablate", "folder"): [
        training.test_results_follow_the_photos_and_lists_of_their_benchmark,
        training.test_rows_whose_data_have_changed_are_refused,
    ],
}
COMPARING = {
    "embed_dataset": "embed", "preprocess.update": "preprocess", "identification.update": "gallery build",
    "identification.folder_faces": "find", "score.store": "search", "cli.eval.kept_inputs": "ablate",
    "train.loop.checkpoint": "train",
}  # fmt: skip
"""Modules that compare inputs with those of before, and a command with a row that they serve."""
GOES_ON = {"frozen", "verify", "resume", "update", "forget"}
"""Parameters that only a command has which keeps something."""


def test_the_table_holds_every_command_that_keeps_something():
    assert set(ROWS) == {(name, kept) for name, door in DOORS.items() for kept in door.keeps}


@pytest.mark.parametrize("row", [row for rows in ROWS.values() for row in rows], ids=lambda row: row.__name__)
def test_every_row_has_every_change(row):
    assert any(mark.args[0] == "what" and mark.args[1] is CHANGES for mark in row.pytestmark if mark.args)


@pytest.mark.parametrize("name", sorted(ALL))
def test_who_goes_on_says_so_at_the_door(name):
    offered = GOES_ON & {parameter.name for parameter in ALL[name].params}
    assert not offered or DOORS[name].keeps, f"declare what {name} keeps, and add its row"


def test_every_comparison_is_behind_a_row():
    root = Path(facepipe.__file__).parent
    found = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in root.rglob("*.py")
        if re.search(r"(?<!def )\b(compare_marks?|same_contents)\(", path.read_text(encoding="utf-8"))
    }
    assert found - {"files.fingerprint"} == set(COMPARING)
    assert set(COMPARING.values()) <= {name for name, _ in ROWS}
