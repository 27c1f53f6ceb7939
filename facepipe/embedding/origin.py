"""What an image was like when it was embedded."""

from dataclasses import dataclass

from facepipe.files import Mark


@dataclass(frozen=True)
class Origin:
    """Where an embedding comes from.

    Attributes:
        image: path of the image, as it was given.
        mark: its size, time and contents then.
        remarks: what should be known of it, see `facepipe.images.Picture`.
    """

    image: str
    mark: Mark
    remarks: tuple[str, ...] = ()
