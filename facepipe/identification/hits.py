"""Verdicts on the nearest faces among many: rank alone means nothing, as somebody is always nearest."""

from dataclasses import asdict, dataclass
from typing import Any

from facepipe.errors import ModelError
from facepipe.identification.decision import Decision, decide, decision_at
from facepipe.zoo import Card, Population

SINGLE_FAR = 1e-3
"""False-accept rate of one comparison at which a hit is worth checking."""
VERDICTS = ("match", "possible", "no match")


@dataclass(frozen=True)
class Judge:
    """How hits are judged.

    Attributes:
        decision: threshold for a match, with the rate over all searched faces; None
            if no threshold is known.
        possible: lowest score at which a single comparison of two photos counts as the same person; None as above.
        reason: why no threshold is known, in one line; otherwise empty.
    """

    decision: Decision | None
    possible: float | None = None
    reason: str = ""

    def __call__(self, score: float) -> str | None:
        """``match``; ``possible`` if a comparison of two photos would pass, but a stranger may among so many faces; or
        ``no match``; None if no threshold is known.
        """
        if self.decision is None:
            return None
        if score >= self.decision.threshold:
            return "match"
        return "possible" if self.possible is not None and score >= self.possible else "no match"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        decision = None if self.decision is None else asdict(self.decision)
        return {"decision": decision, "possible_from": self.possible, "reason": self.reason}


def judge_of(
    card: Card | None,
    faces: int,
    fpir: float = 1e-2,
    flip: str | None = None,
    among: Population = "random",
    threshold: float | None = None,
) -> Judge:
    """The judge for hits among ``faces`` faces.

    Args:
        card: of the model; None if unknown.
        faces: number of searched faces.
        fpir: share of searches for absent people that may return a match, see `decide`.
        flip: flip rule of the embeddings; None means the card's own.
        among: population of impostors for which this holds.
        threshold: use this score as threshold instead.
    """
    if threshold is not None:
        return Judge(decision_at(threshold))
    if card is None:
        return Judge(None, reason="no thresholds are known for the model of these embeddings")
    try:
        decision = decide(card, fpir, faces, flip=flip, among=among)
    except ModelError as error:
        return Judge(None, reason=str(error))
    single = decide(card, SINGLE_FAR, 1, flip=flip, among=among).threshold if faces > 1 else None
    return Judge(decision, None if single is None else min(single, decision.threshold))
