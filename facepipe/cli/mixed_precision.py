"""The one place that tells on stderr of embeddings in different number formats."""

from facepipe.cli.screen import note


def tell_mixed(where: object, *precisions: str) -> None:
    """A line on stderr where rows of different precision are put together or compared; nothing where they are not.

    Args:
        where: the file or data set, for the line.
        precisions: as `facepipe.embedding.Embeddings` record them.
    """
    from facepipe.embedding.precision import mixed_precision

    remark = mixed_precision(*precisions)
    if remark:
        note(f"{where}: {remark}", style="yellow")
