"""``facepipe completion``: scripts of three shells, and what they are told when they ask."""

import subprocess
import sys

import pytest
from cli_run import run

from facepipe.cli.main import COMMANDS
from facepipe.cli.named import ABLATION, MODEL, RECIPE, WEIGHTS


def completed(monkeypatch, capsys, *words):
    """What click would offer for the last word."""
    from facepipe.cli.main import cli

    monkeypatch.setenv("COMP_WORDS", " ".join(["facepipe", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    monkeypatch.setenv("_FACEPIPE_COMPLETE", "bash_complete")
    with pytest.raises(SystemExit):
        cli([], prog_name="facepipe")
    return [line.split(",", 1) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell):
    ended = run("completion", shell)
    assert ended.code == 0 and "_FACEPIPE_COMPLETE" in ended.out and ended.err == ""


def test_another_shell_is_refused():
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in run("completion", "tcsh").err


def test_bash_takes_the_script():
    script = run("completion", "bash").out
    ended = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_commands_models_and_recipes(monkeypatch, capsys):
    def names(*words):
        return [value for _, value in completed(monkeypatch, capsys, *words)]

    assert set(names("")) == set(COMMANDS) and set(names("comp")) == {"compare", "completion"}
    assert "facepipe-mobilenet" in names("compare", "-m", "face") and "sface" in names("models", "show", "sf")
    assert "yunet" in names("models", "pull", "yu") and "lfw" in names("eval", "lf")
    assert {"scf-small", "scf-r100"} <= set(names("train", "scf")) and "probface" in names("ablate", "prob")
    assert completed(monkeypatch, capsys, "train", "my-rec") == [["file", "my-rec"]]


def test_names_are_those_that_there_are(monkeypatch, tmp_path):
    from facepipe.train import shipped_recipes
    from facepipe.train.ablation import shipped_ablations
    from facepipe.zoo import available, detector_cards

    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "mine.toml").write_text("")
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path))
    assert MODEL.names() == sorted(status.name for status in available()) and "mine" in MODEL.names()
    assert WEIGHTS.names() == sorted([*MODEL.names(), *detector_cards()])
    assert RECIPE.names() == shipped_recipes() and ABLATION.names() == shipped_ablations()


def test_completing_imports_no_torch():
    script = (
        "import os, sys\n"
        "os.environ |= {'_FACEPIPE_COMPLETE': 'bash_complete', 'COMP_CWORD': '3',\n"
        "               'COMP_WORDS': 'facepipe compare -m fa'}\n"
        "from facepipe.cli.main import cli\n"
        "try:\n    cli([], prog_name='facepipe')\n"
        "except SystemExit:\n    sys.exit(str({'torch', 'cv2'} & set(sys.modules) or ''))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "facepipe-mobilenet" in ended.stdout and ended.stderr.strip() == ""
