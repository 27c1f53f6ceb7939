"""The ``facepipe`` command: finds the command asked for, and turns errors into one line and exit code 2."""

import errno
import os
import sys
import warnings

import click

from facepipe import __version__
from facepipe.cli.lazy_group import LazyGroup
from facepipe.errors import FacepipeError

# Command and line of help.
COMMANDS = {
    "preprocess": "Detect and align a whole dataset; can be interrupted and resumed.",
    "train": "Train a backbone from a recipe.",
    "ablate": "Train the rows of a published ablation and print its table.",
    "eval": "Run an evaluation protocol (LFW ...).",
    "compare": "Say whether two photos show the same person.",
    "detect": "Find faces: boxes, scores and landmarks.",
    "align": "Cut aligned crops out of photos.",
    "embed": "Turn photos into embeddings.",
    "gallery": "Make and keep galleries of known people.",
    "identify": "Say who of a gallery is in photos, videos, streams.",
    "search": "Find the nearest faces among saved embeddings.",
    "cluster": "Group unknown faces among saved embeddings.",
    "inspect": "Look inside: angles between people, whether probabilities come true, SphereFace's toy picture.",
    "models": "List, fetch, import and export models.",
    "bench": "Measure the throughput of every stage on this machine.",
    "demo": "The main job on two faces that installed packages carry.",
}


@click.group(cls=LazyGroup, modules="", lines=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="facepipe")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Face recognition from raw photos to published figures.

    Data goes to stdout, progress and notes to stderr. Bad input ends with one line and exit code 2.
    """


def main() -> None:
    """Entry point of the ``facepipe`` script."""
    debug = "--debug" in sys.argv[1:]
    if not debug:
        warnings.filterwarnings("ignore")
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid UTF-8.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        sys.exit(cli(prog_name="facepipe", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone: say nothing, and keep Python from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (FacepipeError, OSError) as error:
        if debug:
            raise
        _say(_line(error))
        sys.exit(2)


def _line(error: Exception) -> str:
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        advice = "; free some space and run the same command again" if error.errno == errno.ENOSPC else ""
        return f"{where}{error.strerror or error}{advice}"
    return str(error)


def _say(line: str) -> None:
    # A file's name may hold line breaks; a message is one line all the same.
    click.echo("facepipe: " + line.replace("\r", "\\r").replace("\n", "\\n"), err=True)


if __name__ == "__main__":
    main()
