"""``print`` of a protocol's result shows what the command prints, and type checkers know the protocols' signatures."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_run import run
from eval_cases import write_cases
from golden_screens import protocol_lines

import facepipe
from facepipe.cli.table import show_summary
from facepipe.protocols.text_table import as_text

PRINTERS = ("cli.eval.protocol_command", "cli.commands.eval.risk", "cli.commands.eval.megaface")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("eval")


@pytest.fixture(scope="module")
def cases(root):
    return write_cases(root)


@pytest.mark.slow
def test_the_text_of_every_protocol_is_that_of_its_command(cases, root, monkeypatch):
    shown = []

    def recorded(parts):
        shown.append(list(parts))
        show_summary(shown[-1])

    for printer in PRINTERS:
        monkeypatch.setattr(f"facepipe.{printer}.show_summary", recorded)
    lines = [["eval", *words] for words in cases.values()]
    seen = {str(words[1]) for words in lines}
    lines += [words for name, words in protocol_lines(root).items() if name not in seen]
    for words in lines:
        outcome = run(*words)
        text = as_text(shown.pop()).splitlines()
        printed = outcome.out.splitlines()
        assert [line for line in text if line in printed] == printed, words
        assert {line for line in text if line not in printed} <= set(outcome.err.splitlines()), words


def test_print_of_a_result(cases):
    _, file, *_, pairs = cases["lfw"][:4]
    result = facepipe.evaluate.lfw(file, pairs)
    assert str(result) == as_text(result.summary())
    assert str(result).splitlines()[-1].startswith("LFW view 2: ") and "PairsResult(" not in str(result)
    risk = facepipe.evaluate.risk(file, pairs, form="lfw", fmr=0.1)
    assert "AUERC" in str(risk) and "RiskResult(" not in str(risk)


CALLS = """
import facepipe

result = facepipe.evaluate.lfw("a.parquet", "pairs.txt")
reveal_type(result.accuracy)
reveal_type(facepipe.evaluate.ytf("a.parquet", "splits.txt", pool="kappa").videos)
facepipe.evaluate.lfw("a.parquet")
facepipe.evaluate.blufr("a.parquet", "lists.mat", scores="cosine")
try:
    facepipe.detect("a.jpg")
except facepipe.FacepipeError:
    pass
"""


@pytest.mark.slow
def test_type_checkers_know_the_protocols(tmp_path):
    pytest.importorskip("mypy")
    script = tmp_path / "calls.py"
    script.write_text(CALLS, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--follow-imports", "silent", "--cache-dir", "cache", script.name]
    paths = {"MYPYPATH": str(Path(facepipe.__file__).parents[1]), "PATH": ""}
    ended = subprocess.run(command, cwd=tmp_path, env=paths, capture_output=True, text=True)
    told = [line.partition("calls.py:")[2] for line in ended.stdout.splitlines() if "calls.py:" in line]
    assert sorted({line.partition(":")[0] for line in told}) == ["5", "6", "7", "8"], ended.stdout + ended.stderr
    assert 'Revealed type is "float | None"' in told[0] and 'Revealed type is "int"' in told[1]
    assert "Missing positional argument" in told[2] and "Unexpected keyword argument" in told[3]
