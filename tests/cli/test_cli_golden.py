"""Golden copies of what every command shows on terminals of 60, 80 and 120 columns; see ``tests/golden_screens.py``."""

import re
from contextlib import chdir

import click
import pytest
from cli_run import shown_on_terminal
from golden_screens import GOLDEN, GROUPS, HELP, PAGES, WIDTHS, command_lines, file_name, transcript, write_world

from facepipe.cli.main import cli

LONGEST_BROKEN = 24
"""Letters of a word that has a line of prose to itself, however narrow the screen."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """In which the tests of this module work."""
    root = tmp_path_factory.mktemp("screens").resolve()
    with chdir(root):
        write_world(root)
        yield root


def wanted(command):
    path = GOLDEN / file_name(command)
    assert path.is_file(), f"write a line '$ facepipe {command} ...' or more into {path}, then run golden_screens.py"
    return path.read_text(encoding="utf-8")


def test_no_transcript_is_left_over():
    assert {path.name for path in GOLDEN.iterdir()} <= set(map(file_name, PAGES))


@pytest.mark.slow
@pytest.mark.parametrize("command", PAGES)
def test_transcripts(world, command):
    lines = command_lines(wanted(command))
    assert command in GROUPS or any(HELP not in words for words in lines), "no command line but that of the help page"
    assert transcript(command, wanted(command)) == wanted(command)


def help_page(command, width):
    told = shown_on_terminal(width, *command.split(), HELP)
    assert told.code == 0
    return told.out


@pytest.mark.parametrize("command", PAGES)
def test_help_pages_cut_nothing(command):
    """No line is wider than the screen, no sentence ends in an ellipsis, and no word is torn at its hyphen."""
    for width in WIDTHS:
        text = help_page(command, width)
        lines = [line for line in text.splitlines() if not line.startswith(("Usage:", "  -"))]
        wide = [line for line in lines if len(line) > width and len(line.split()) > 1]
        assert not [line for line in wide if "facepipe " not in line], "but for whole commands to copy"
        assert not [line for line in lines if re.search(r"\w(-|\.\.\.)$", line)]


@pytest.mark.parametrize("name", GROUPS)
def test_groups_list_their_commands(name):
    context = click.Context(cli)
    group = cli.get_command(context, name) if name else cli
    for width in WIDTHS:
        listed = help_page(name, width).partition("Commands:\n")[2]
        rows = [row.split(maxsplit=1) for row in re.split(r"\n  (?=\S)", listed.strip())]
        assert {word: re.sub(r"\s+", " ", text) for word, text in rows} == group.summaries(context)
        assert [word for word, _ in rows] == group.list_commands(context)


def test_no_table_is_wider_than_its_screen_but_for_a_path():
    """Lines of a table that run over end in a word that is longer than the screen leaves room for: a path."""
    for command in ("models-list", "train", "gallery-list", "eval-lfw", "eval-risk", "inspect-toy"):
        parts = re.split(r"^=+ (\d+)\n", (GOLDEN / f"{command}.txt").read_text(encoding="utf-8"), flags=re.M)
        for width, text in zip(parts[1::2], parts[2::2], strict=True):
            tables = [line for line in text.splitlines() if re.search(r"\S {2,}\S", line)]
            over = [line for line in tables if len(line) > int(width) and len(line.split()[-1]) <= LONGEST_BROKEN]
            assert tables and not over, (command, width)
        assert list(map(int, parts[1::2])) == list(WIDTHS)
