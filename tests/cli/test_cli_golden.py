"""Golden copies of what every command shows on terminals of 60, 80 and 120 columns; see ``tests/golden_screens.py``."""

import re
from contextlib import chdir

import pytest
from cli_commands import ALL
from golden_screens import GOLDEN, GROUPS, HELP, SCREENS, WIDTHS, all_screens, file_name, help_pages, write_world

PAGES = (*GROUPS, *ALL)
"""Whatever has a ``--help``."""
LONGEST_BROKEN = 24
"""Letters of a word that has a line of prose to itself, however narrow the screen."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """The world, in which the tests of this module work."""
    root = tmp_path_factory.mktemp("screens").resolve()
    with chdir(root):
        yield write_world(root)


def test_no_command_is_forgotten():
    assert set(SCREENS) == set(ALL)
    assert {path.name for path in GOLDEN.glob("*.txt")} == set(map(file_name, SCREENS))
    assert {path.name for path in (GOLDEN / HELP).iterdir()} == {file_name(name or "facepipe") for name in PAGES}


@pytest.mark.parametrize("command", SCREENS)
def test_screens(cases, command):
    wanted = (GOLDEN / file_name(command)).read_text(encoding="utf-8")
    assert all_screens(command, SCREENS[command], cases) == wanted


@pytest.mark.parametrize("command", PAGES)
def test_help_pages(command):
    wanted = (GOLDEN / HELP / file_name(command or "facepipe")).read_text(encoding="utf-8")
    assert help_pages(command) == wanted


@pytest.mark.parametrize("command", PAGES)
def test_help_pages_cut_nothing(command):
    """No line is wider than the screen, no sentence ends in an ellipsis, and no word is torn at its hyphen."""
    parts = re.split(r"^=+ (\d+)\n", help_pages(command), flags=re.M)
    for width, text in zip(parts[1::2], parts[2::2], strict=True):
        lines = [line for line in text.splitlines() if not line.startswith(("Usage:", "  -"))]
        wide = [line for line in lines if len(line) > int(width) and len(line.split()) > 1]
        assert not [line for line in wide if "facepipe " not in line], "but for whole commands to copy"
        assert not [line for line in lines if re.search(r"\w(-|\.\.\.)$", line)]


def test_no_table_is_wider_than_its_screen_but_for_a_path():
    """Lines of a table that run over end in a word that is longer than the screen leaves room for: a path."""
    for command in ("models-list", "train", "gallery-list", "eval-lfw", "eval-risk", "inspect-toy"):
        parts = re.split(r"^=+ (\d+)\n", (GOLDEN / f"{command}.txt").read_text(encoding="utf-8"), flags=re.M)
        for width, text in zip(parts[1::2], parts[2::2], strict=True):
            tables = [line for line in text.splitlines() if re.search(r"\S {2,}\S", line)]
            over = [line for line in tables if len(line) > int(width) and len(line.split()[-1]) <= LONGEST_BROKEN]
            assert tables and not over, (command, width)
        assert list(map(int, parts[1::2])) == list(WIDTHS)
