"""The command line as a whole: help, versions, errors in one line, and how a process ends."""

import errno
import subprocess
import sys

import click
import pytest
from cli_run import refused, run
from PIL import Image

from facepipe import __version__
from facepipe.cli.main import COMMANDS, _how_to_continue, cli

SUBCOMMANDS = [("eval", "lfw"), *(("models", name) for name in ("list", "show", "pull", "import"))]


def process(*words, **options):
    return subprocess.run([sys.executable, "-m", "facepipe", *words], capture_output=True, text=True, **options)


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS), *SUBCOMMANDS], ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(words, flag):
    ended = run(*words, flag)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Usage: facepipe")
    # Help of a command whose docstring was forgotten would have no text between usage and options.
    assert ended.out.split("\n\n")[1].strip() and "Options:" in ended.out


def test_group_help_lists_every_command_with_its_line():
    out = " ".join(run("--help").out.split())
    for name, line in COMMANDS.lines().items():
        assert f"{name} {line}" in out
    for name in COMMANDS:
        assert isinstance(cli.get_command(click.Context(cli), name), click.Command)


def test_options_say_what_they_do():
    for words in [*((name,) for name in COMMANDS), *SUBCOMMANDS]:
        command = cli
        for word in words:
            command = command.get_command(click.Context(command), word)
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{' '.join(words)} {parameter.opts}"


@pytest.mark.slow
def test_help_and_version_import_no_torch():
    """Nor OpenCV or Arrow; NumPy only for options whose values are the entries of a table."""
    script = (
        "import sys\n"
        "from facepipe.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n"
        "    heavy = {'torch', 'cv2', 'pyarrow', 'scipy'} & set(sys.modules)\n"
        "    heavy |= {'numpy'} & set(sys.modules) if len(sys.argv) == 2 else set()\n"
        "    sys.exit(str(heavy) if heavy else end.code)\n"
    )
    for line in ("--help", "--version", "compare --help", "models -h", "eval lfw -h", "eval ijb -h", "preprocess -h"):
        words = line.split()
        ended = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, ""), words


IMPORTED = {
    "compare A B --engine torch": {"torch", "http", "importlib.metadata", "pydantic"},
    "compare A B": set(),
    "compare A B --save both.png --json": set(),
    "detect A --json": set(),
    "align A -o crops": set(),
    "embed A -o e.parquet": {"pyarrow"},
    "gallery build A B g.parquet": {"pyarrow"},
    "identify g.parquet A --json": {"pyarrow", "scipy", "importlib.metadata"},
    "search A e.parquet": {"pyarrow"},
    "gallery list g.parquet": {"pyarrow"},
    "models show facepipe-mobilenet": set(),
}
"""Command → which of the slow libraries it imports; each makes what the next ones need."""


@pytest.mark.slow
def test_no_command_imports_what_it_does_not_use(astronaut, tmp_path):
    """All but the first run as where PyTorch is not installed, and so do what they do without it."""
    Image.fromarray(astronaut).save(tmp_path / "A.png")
    Image.fromarray(astronaut[:300, 60:360]).save(tmp_path / "B.png")
    script = (
        "import sys\n"
        "from facepipe.cli.main import main\n"
        "if '--engine' not in sys.argv: sys.modules['torch'] = None\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n"
        "    slow = {'torch', 'skimage', 'scipy', 'pyarrow', 'sklearn', 'pandas', 'matplotlib', 'onnx', 'requests'}\n"
        "    slow |= {'pydantic', 'rich', 'http', 'importlib.metadata'}\n"
        "    print(*sorted(name for name in slow if sys.modules.get(name)), file=sys.stderr)\n"
        "    sys.exit(end.code)\n"
    )
    for line, expected in IMPORTED.items():
        words = [{"A": "A.png", "B": "B.png"}.get(word, word) for word in line.split()]
        ended = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, cwd=tmp_path)
        assert ended.returncode == 0, (line, ended.stderr)
        assert set(ended.stderr.splitlines()[-1].split()) == expected, line


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    ["train scf-small -d .", "compare A B --engine torch", "detect A --device cuda", "bench", "models list",
     "compare A B --score scf"],
)  # fmt: skip
def test_without_pytorch_one_line_says_so(line, astronaut, tmp_path):
    Image.fromarray(astronaut[:200, 120:320]).save(tmp_path / "A", "PNG")
    Image.fromarray(astronaut[:200, 120:320]).save(tmp_path / "B", "PNG")
    script = "import sys; sys.modules['torch'] = None; from facepipe.cli.main import main; main()"
    words = line.split()
    ended = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 2 and "needs PyTorch, which is not installed: pip install" in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr


def test_version():
    assert run("--version").out == f"facepipe, version {__version__}\n"


@pytest.mark.parametrize(
    "words, what",
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["eval", "nonsense"], "No such command 'nonsense'"),
        (["detect"], "Missing argument"),
        (["detect", "a.jpg", "--nonsense"], "No such option"),
        (["detect", "a.jpg", "--min-face", "big"], "not a valid float"),
        (["bench", "-n", "0"], "0 is not in the range"),
        (["align", "a.jpg"], "Missing option '-o'"),
    ],
)
def test_wrong_usage(words, what):
    ended = run(*words)
    assert ended.code == 2 and ended.out == ""
    assert what in ended.err and "Try 'facepipe" in ended.err


def test_wrong_values_of_shared_options(tmp_path):
    image = tmp_path / "a.png"
    image.write_bytes(b"x")
    assert refused("detect", image, "--device", "gpu9") == (
        "--device gpu9: no such device; choose one of auto, cpu, cuda, mps"
    )
    assert "minimum face 3.0" in refused("detect", image, "--min-face", 3)
    assert "pyramid factor 2.0" in refused("align", image, "-o", tmp_path, "--factor", 2)
    assert "mtcnn takes 3" in refused("detect", image, "--thresholds", 0.6, 0.7, 1.5)
    store = tmp_path / "a.parquet"
    assert "'facepipe models pull sface' downloads them" in refused("embed", image, "-o", store, "-m", "sface")


def failing(monkeypatch, error):
    @click.command()
    def command():
        raise error

    monkeypatch.setattr(cli, "get_command", lambda context, name: command)


def test_a_full_disk_is_one_line_with_advice(monkeypatch):
    failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/data/out/a.jpg"))
    assert refused("detect") == (
        "/data/out/a.jpg: No space left on device; free some space and run the same command again"
    )
    failing(monkeypatch, PermissionError(errno.EACCES, "Permission denied", b"/data/out"))
    assert refused("detect") == "/data/out: Permission denied"


def test_a_line_break_in_a_name_stays_on_the_line(tmp_path):
    assert "two\\nlines.jpg: no such file" in refused("detect", tmp_path / "two\nlines.jpg")


def test_a_folder_is_no_output_file(tmp_path):
    (tmp_path / "toy.png").mkdir()
    ended = refused("inspect", "toy", "--steps", 1, "-o", tmp_path / "toy.png")
    assert "is a folder; name a file to write" in ended


def test_an_interrupt_ends_with_130(monkeypatch):
    failing(monkeypatch, KeyboardInterrupt())
    ended = run("detect")
    assert ended.err.strip() == "facepipe: interrupted; no partial files are left; run the same command again"
    assert ended.code == 130
    for words, how in (
        (["preprocess", "a", "b"], "resumes where it stopped"),
        (["find", "a", "b"], "finished embeddings are kept"),
        (["detect", "a", "--save", "b"], "the same command with --overwrite"),
        (["--log-level", "info", "align", "a", "-o", "b"], "the files written so far are complete"),
    ):
        assert how in _how_to_continue(words)


def test_a_mistake_of_ours_is_not_hidden(monkeypatch):
    failing(monkeypatch, ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        run("detect")


def test_as_a_process(tmp_path):
    missing = tmp_path / "no such photo.jpg"
    ended = process("detect", str(missing))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"facepipe: {missing}: no such file or folder; check the path\n"
    with_debug = process("--debug", "compare", str(missing), str(missing))
    assert with_debug.returncode == 1
    assert "Traceback" in with_debug.stderr and "FacepipeError: " in with_debug.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_reader_that_goes_away_is_no_error(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_text("no image")
    words = f"{sys.executable} -m facepipe detect --json"
    line = f"({words} {tmp_path}; echo ended with $? >&2) | true"
    ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert "Traceback" not in ended.stderr and "BrokenPipe" not in ended.stderr
    assert "ended with" in ended.stderr


def test_a_process_that_ends_at_once_leaves_nothing_undone(tmp_path):
    """What was registered to be done at the end is done, what was printed arrives, and the exit code is the same."""
    mark = tmp_path / "mark"
    script = (
        "import atexit, pathlib, sys\n"
        f"atexit.register(pathlib.Path({str(mark)!r}).touch)\n"
        "from facepipe.cli import main\n"
        "main.script()\n"
        "sys.exit('the process went on')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, "models", "show", "sface"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("sface: ") and ended.stdout.endswith("\n") and mark.exists()
