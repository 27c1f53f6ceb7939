"""The one place that tells on stderr of embeddings that were made in different ways."""

from typing import TYPE_CHECKING

from facepipe.cli.screen import note

if TYPE_CHECKING:
    from facepipe.embedding.making import Making


def tell_mixed(where: object, *several: "Making") -> None:
    """A line on stderr where rows of different precision or detectors are put together or compared.

    Args:
        where: the file or data set, for the line.
        several: how they were made; a single one may be mixed in itself.
    """
    from facepipe.embedding.making import mixed

    remark = mixed(*several)
    if remark:
        note(f"{where}: {remark}", style="yellow")
