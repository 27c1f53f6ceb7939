"""What to do after Ctrl-C, or after a signal that ended a command: what it left, and how to go on."""

_ELSE = "nothing half-written is left; run the same command again"
_FILES = "the files that were written are whole; the same command with --overwrite makes all of them"
_HOW = {
    "preprocess": "the same command goes on where it stopped",
    "embed": "what was embedded is kept: the same command goes on from there",
    "find": "what was embedded is kept: the same command goes on from there",
    "ablate": "finished rows and results are kept: the same command goes on",
    "train": "what was saved is kept: the same command with --resume goes on from the last checkpoint",
    "pull": "a download goes on where it stopped: run the same command again",
    "align": _FILES,
}
_WRITES_MANY = {"detect": "--save", "identify": "--save", "cluster": "--sheets"}
"""Command → the option with which it writes a file for each of many inputs."""


def how_to_go_on(words: list[str]) -> str:
    """For a command line as it was given."""
    from facepipe.cli.main import COMMANDS

    name = next((word for word in words if word in COMMANDS), "")
    if name == "models" and "pull" in words:
        name = "pull"
    if name in _WRITES_MANY and any(word.startswith(_WRITES_MANY[name]) for word in words):
        return _FILES
    return _HOW.get(name, _ELSE)
