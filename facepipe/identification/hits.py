"""What is thought of the nearest faces among many: a rank alone says nothing, somebody is always nearest."""

from dataclasses import asdict, dataclass
from typing import Any

from facepipe.errors import ModelError
from facepipe.identification.decision import Decision, decide, given
from facepipe.zoo import Card, Population

SINGLE_FAR = 1e-3
"""False-accept rate of one comparison from which a hit is worth a look."""
VERDICTS = ("match", "possible", "no match")


@dataclass(frozen=True)
class Judge:
    """By what hits are judged.

    Attributes:
        decision: from which score on a hit is a match, with the rate that holds over all faces that are searched; None
            where no threshold is known.
        possible: from which score on a single comparison of two photos would be called the same person; None as above.
        reason: why nothing is known, one line; else empty.
    """

    decision: Decision | None
    possible: float | None = None
    reason: str = ""

    def __call__(self, score: float) -> str | None:
        """``match``; ``possible``, where two photos alone would pass but among so many faces a stranger may; or
        ``no match``; None where no threshold is known.
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
    """How hits among ``faces`` faces are judged.

    Args:
        card: of the model; None where it is not known.
        faces: how many are searched.
        fpir: share of searches of somebody who is not there that may give a match, see `decide`.
        flip: flip rule of the embeddings; None is the card's own.
        among: the strangers of whom that holds.
        threshold: a score to judge by instead.
    """
    if threshold is not None:
        return Judge(given(threshold))
    if card is None:
        return Judge(None, reason="no thresholds are known of the model that made these embeddings")
    try:
        decision = decide(card, fpir, faces, flip=flip, among=among)
    except ModelError as error:
        return Judge(None, reason=str(error))
    single = decide(card, SINGLE_FAR, 1, flip=flip, among=among).threshold if faces > 1 else None
    return Judge(decision, None if single is None else min(single, decision.threshold))
