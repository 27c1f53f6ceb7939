"""``facepipe completion``: scripts of three shells, and what they are told when they ask."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_commands import ALL, DOORS
from cli_run import run

from facepipe.cli.commands.completion import SHELLS
from facepipe.cli.main import COMMANDS
from facepipe.cli.named import ABLATION, MODEL, RECIPE, WEIGHTS

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """A folder with an executable ``facepipe`` and the scripts of the shells; two photos are there too."""
    folder = tmp_path_factory.mktemp("shells")
    (folder / "facepipe").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m facepipe "$@"\n')
    (folder / "facepipe").chmod(0o755)
    for name in ("photo1.jpg", "photo2.jpg"):
        (folder / name).touch()
    for shell in SHELLS:
        (folder / f"script.{shell}").write_text(run("completion", shell).out)
    return folder


# Shell → how a script asks it to complete its arguments. Outside of an interactive line bash and zsh refuse the
# builtins that pass on what was found, so that functions stand in for these, and print it; fish can be asked as it is.
ASK = {
    "bash": """
        source script.bash; complete -p facepipe | grep -q _facepipe_completion || exit 1
        compopt() { echo "files"; }
        COMP_WORDS=(facepipe "$@"); COMP_CWORD=$#
        _facepipe_completion facepipe; printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { registered=$2 }
        _describe() { print -l -- ${(P)3} }
        compadd() { print -l -- ${(P)@[-1]} }
        _path_files() { print files }
        source ./script.zsh; [[ $registered == facepipe ]] || exit 1
        words=(facepipe "$@"); CURRENT=$#words; _facepipe_completion
    """,
    "fish": 'source script.fish; complete -C "facepipe $argv"',
}
OPTIONS = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}


def offered(shell, folder, *words):
    """What a shell would offer for the last word, without descriptions."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    # As $0 bash and zsh take the word behind the script.
    zeroth = [] if shell == "fish" else ["shell"]
    asked = [shell, *OPTIONS[shell], "-c", ASK[shell], *zeroth, *words]
    ended = subprocess.run(asked, cwd=folder, env=environment, text=True, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    return {re.split(r"[:\t]", line)[0] for line in ended.stdout.splitlines() if line}


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_complete(shell, command):
    assert offered(shell, command, "comp") == {"compare", "completion"}
    assert offered(shell, command, "compare", "-m", "facepipe-mob") == {"facepipe-mobilenet"}
    assert offered(shell, command, "eval", "lf") == {"lfw"}
    files = {"photo1.jpg", "photo2.jpg"} if shell == "fish" else {"files"}
    assert offered(shell, command, "compare", "photo1.jpg", "phot") == files


def test_whatever_takes_a_path_completes_it():
    """Photos, media and folders too: in fish and zsh nothing else would offer files."""
    for name, line in ALL.items():
        for parameter in line.params:
            takes = parameter.name in DOORS[name].reads
            if takes or isinstance(parameter.type, click.Path):
                kinds = {item.type for item in parameter.type.shell_complete(click.Context(line), parameter, "no-name")}
                assert kinds <= {"file", "dir"} and kinds, (name, parameter.name)


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
