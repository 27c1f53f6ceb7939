"""What a person should look at in a gallery."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Remark:
    """Something about an image of a gallery that a person should look at.

    Attributes:
        kind: ``no_face`` (or unreadable; the image is left out), ``several_faces``, ``low_confidence``, ``duplicate``
            (scores 0.99 or more with an earlier image), ``resembles`` (nearest to an image of somebody else),
            ``damaged`` (inside; what it shows is not to be trusted), ``picture`` (other remarks of the reader, such as
            pages that were not read), ``renamed`` (another image had the same name and person; both are kept),
            ``replaced`` (the same picture was there under this name), ``folders`` (they look as if others stood for the
            people), or ``mixed_precision`` and ``mixed_detectors`` of the gallery as a whole.
        path: ``person/image``.
        text: one line.
    """

    kind: str
    path: str
    text: str
