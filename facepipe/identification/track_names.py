"""Names of tracks: decided from all faces of a track together, and rarely changed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from facepipe.embedding import join
from facepipe.identification.identifier import Identifier, Identity
from facepipe.identification.tracking import Track


@dataclass(frozen=True)
class Appearance:
    """A finished track.

    Attributes:
        track: its number.
        identity: from all its faces.
        first, last: seconds.
        faces: number of faces.
        gaps: of the track, see `facepipe.identification.tracking.Track`.
    """

    track: int
    identity: Identity
    first: float
    last: float
    faces: int
    gaps: tuple[tuple[float, float], ...] = ()

    def spans(self) -> Iterator[tuple[float, float]]:
        """Times of the first and the last face of each part without a gap."""
        begins = [self.first, *(after for _, after in self.gaps)]
        ends = [*(before for before, _ in self.gaps), self.last]
        yield from zip(begins, ends, strict=True)


class TrackNames:
    """Identifies tracks in a gallery.

    A track is searched for when it has 1, 2, 4, 8 ... faces, and when it ends: its name can change only a few times,
    and not from frame to frame.
    """

    def __init__(self, identifier: Identifier) -> None:
        self._identifier = identifier
        self._identities: dict[int, Identity] = {}
        self._due: dict[int, int] = {}
        self.appearances: list[Appearance] = []

    def update(self, tracks: Iterable[Track]) -> None:
        """Identify the tracks that have grown enough."""
        self._decide({t.number: t for t in tracks if t.faces >= self._due.get(t.number, 1)})

    def end(self, tracks: Iterable[Track]) -> None:
        """Identify finished tracks for the last time."""
        ended = {track.number: track for track in tracks}
        self._decide(ended)
        for number, track in ended.items():
            self._due.pop(number, None)
            self.appearances.append(
                Appearance(number, self._identities[number], track.first, track.last, track.faces, tuple(track.gaps))
            )

    def of(self, track: Track) -> Identity:
        """The current identity of a track."""
        return self._identities[track.number]

    def _decide(self, tracks: dict[int, Track]) -> None:
        if not tracks:
            return
        identities = self._identifier(join([track.template() for track in tracks.values()]))
        for track, identity in zip(tracks.values(), identities, strict=True):
            self._identities[track.number] = identity
            self._due[track.number] = 2 * track.faces
