"""Options for rerunning commands on the same inputs, and the report of changes."""

from typing import TYPE_CHECKING

import click

from facepipe.cli.screen import note

if TYPE_CHECKING:
    from facepipe.files import Changes

frozen = click.option(
    "--frozen",
    is_flag=True,
    help="Continue with the images of the previous run, even if some were added, deleted or changed.",
)
verify = click.option(
    "--verify",
    is_flag=True,
    help="Compare the contents of all images with the previous run, not only of those whose size or time changed.",
)


def note_changes(changes: "Changes") -> None:
    """Report the changes since the last run in one line, if any."""
    touched = f"{len(changes.touched)} only touched" if changes.touched else ""
    parts = [part for part in (changes.line(), touched) if part]
    if parts:
        note(f"since the last run: {', '.join(parts)}")
