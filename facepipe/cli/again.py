"""Commands that are run again on the same inputs: their options, and the account of what has changed since."""

from typing import TYPE_CHECKING

import click

from facepipe.cli.screen import note

if TYPE_CHECKING:
    from facepipe.files import Changes

frozen = click.option(
    "--frozen",
    is_flag=True,
    help="Continue with the images of the previous run, even if some were added, deleted or changed since.",
)
verify = click.option(
    "--verify",
    is_flag=True,
    help="Compare the contents of all images with those of the previous run, not only where size or time has changed.",
)


def tell_changes(changes: "Changes") -> None:
    """One line on what is different from the run before; none where nothing is."""
    touched = f"{len(changes.touched)} only touched" if changes.touched else ""
    parts = [part for part in (changes.line(), touched) if part]
    if parts:
        note(f"since the last run: {', '.join(parts)}")
