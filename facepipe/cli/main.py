"""The ``facepipe`` command: runs a command, and turns errors into one line and exit code 2."""

import errno
import os
import sys
import warnings
from typing import Any

import click

from facepipe import __version__
from facepipe.cli import logs
from facepipe.cli.help_text import WIDEST
from facepipe.cli.lazy_group import LazyGroup, command_files
from facepipe.cli.process import ErrorOutput, Output, Terminated, end_on_signals, end_process, open_missing_streams
from facepipe.errors import FacepipeError
from facepipe.parameters import as_options
from facepipe.shown import shown

LONGEST_LINE = 1000
"""Maximum length of a displayed error, about a screenful."""

_ADVICE = (
    ((errno.ENOSPC, errno.EFBIG, errno.EDQUOT), "; free some space and run the same command again"),
    ((errno.ENAMETOOLONG,), "; if an image is expected, give a file that contains it"),
)

# Advice after Ctrl-C or a signal: what the command left, and how to continue.
_CONTINUE_DEFAULT = "no partial files are left; run the same command again"
_CONTINUE_FILES = "the files written so far are complete; the same command with --overwrite writes all of them"
_CONTINUE = {
    "preprocess": "the same command resumes where it stopped",
    "embed": "finished embeddings are kept; the same command resumes from there",
    "find": "finished embeddings are kept; the same command resumes from there",
    "ablate": "finished rows and results are kept; the same command continues",
    "train": "checkpoints are kept; the same command with --resume continues from the last one",
    "pull": "the download resumes where it stopped; run the same command again",
    "align": _CONTINUE_FILES,
}
_WRITES_MANY = {"detect": "--save", "identify": "--save", "cluster": "--sheets"}
"""Command → the option with which it writes one file per input."""

COMMANDS = command_files(
    "facepipe.cli.commands",
    # From photos to figures, then commands for single photos.
    "preprocess", "train", "ablate", "eval", "calibrate", "compare", "find", "detect", "align", "embed", "gallery",
    "identify", "search", "cluster", "inspect", "models", "bench", "demo", "completion",
)  # fmt: skip
"""The commands, one per file."""


@click.group(
    cls=LazyGroup,
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
)
@click.version_option(__version__, prog_name="facepipe")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; may also follow any command.")
@click.option(
    "--log-level",
    type=click.Choice(logs.LEVELS),
    default="info",
    show_default=True,
    help="Least severe messages to show.",
)
@click.option(
    "--log-format",
    type=click.Choice(logs.FORMATS),
    default="text",
    show_default=True,
    help="Format of the messages on stderr.",
)
def cli(debug: bool, log_level: str, log_format: str) -> None:  # noqa: ARG001
    """Face recognition from raw photos to published figures.

    Data goes to stdout, progress and notes to stderr: a bar on a terminal, else a line every twenty seconds. Bad
    input ends with one line and exit code 2.
    """
    logs.start_logging(log_level, log_format)


def script() -> None:
    """Entry point of the ``facepipe`` script: `main`, ending the process."""
    try:
        main()
    except SystemExit as end:
        end_process(_code_of(end))


def main() -> None:
    """Run the command line of this process.

    Raises:
        SystemExit: always, with the exit code.
    """
    open_missing_streams()
    words, debug = _without_debug(sys.argv[1:])
    if not debug:
        warnings.filterwarnings("ignore")
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid UTF-8.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    end_on_signals()
    logs.start_logging()
    outside = sys.stdout, sys.stderr
    inside: Any = Output(sys.stdout), ErrorOutput(sys.stderr)
    sys.stdout, sys.stderr = inside
    try:
        with as_options():
            code = _run(words, debug)
    finally:
        sys.stdout, sys.stderr = outside
    sys.exit(code)


def _without_debug(words: list[str]) -> tuple[list[str], bool]:
    """Remove ``--debug`` from the arguments before ``--``."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return kept + words[end:], len(kept) < end


def _run(words: list[str], debug: bool) -> int:
    """The exit code of a command line."""
    try:
        code = cli(words, prog_name="facepipe", standalone_mode=False) or 0
        sys.stdout.flush()
        return int(code)
    except SystemExit as end:
        return _code_of(end)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt) as error:
        ended = error if isinstance(error, Terminated) else error.__cause__
        _say(f"{ended if isinstance(ended, Terminated) else 'interrupted'}; {_how_to_continue(words)}")
        return ended.exit_code if isinstance(ended, Terminated) else 130
    except (FacepipeError, OSError) as error:
        if debug:
            raise
        _say(_line(error))
        return 2
    except ModuleNotFoundError as error:
        # A command needs PyTorch, and facepipe was installed without it.
        if debug or error.name is None or error.name.split(".")[0] not in ("torch", "torchvision"):
            raise
        _say(f"{' '.join(words[:1])} needs PyTorch, which is not installed: pip install 'torch>=2.6'")
        return 2


def _how_to_continue(words: list[str]) -> str:
    """Advice for a command line."""
    name = next((word for word in words if word in COMMANDS), "")
    if name == "models" and "pull" in words:
        name = "pull"
    if name in _WRITES_MANY and any(word.startswith(_WRITES_MANY[name]) for word in words):
        return _CONTINUE_FILES
    return _CONTINUE.get(name, _CONTINUE_DEFAULT)


def _code_of(end: SystemExit) -> int:
    if isinstance(end.code, int) or end.code is None:
        return end.code or 0
    _say(str(end.code))
    return 1


def _line(error: Exception) -> str:
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        advice = next((words for numbers, words in _ADVICE if error.errno in numbers), "")
        return f"{where}{error.strerror or error}{advice}"
    return str(error)


def _say(line: str) -> None:
    logs.LOGGER.error("facepipe: %s", shown(line, LONGEST_LINE))


if __name__ == "__main__":
    script()
