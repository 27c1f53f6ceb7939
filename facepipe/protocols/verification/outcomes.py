"""The outcome of each pair, packed into text so that results in JSON can be compared pair by pair."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_SCORES = 1_000_000
"""Scores of more pairs than this are not stored in a result: they would take megabytes of text."""


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of the pairs of a list, in its order.

    Attributes:
        same: bool N, whether both images show the same person.
        right: bool N, whether the protocol judged the pair correctly; None if it makes no decisions.
        scores: float32 N, higher means more similar; None for lists of more than ``MOST_SCORES`` pairs.
        of: hash of the pairs themselves (`facepipe.datasets.pairs.lfw_pairs.Pairs.digest`), which reveals
            pairs left out; empty if none can be left out.
    """

    same: np.ndarray
    right: np.ndarray | None = None
    scores: np.ndarray | None = None
    of: str = ""

    def __len__(self) -> int:
        return len(self.same)

    def as_json(self) -> dict[str, Any]:
        """Number of pairs and ``of``; ``same`` and ``right`` as bits, first pair in the highest bit, ``scores`` as
        little-endian float32, each in base64."""
        values: dict[str, Any] = {"pairs": len(self), "same": _bits(self.same)}
        if self.of:
            values["of"] = self.of
        if self.right is not None:
            values["right"] = _bits(self.right)
        if self.scores is not None and len(self) <= MOST_SCORES:
            values["scores"] = _text(np.asarray(self.scores, "<f4"))
        return values

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Outcomes":
        """The inverse of `as_json`.

        Raises:
            KeyError, TypeError, ValueError: the fields are not from `as_json`.
        """
        pairs = int(fields["pairs"])
        right, scores = fields.get("right"), fields.get("scores")
        values = None if scores is None else np.frombuffer(base64.b64decode(scores), "<f4").astype(np.float32)
        if values is not None and len(values) != pairs:
            raise ValueError(f"{len(values)} scores for {pairs} pairs")
        judged = None if right is None else _bools(right, pairs)
        return cls(_bools(fields["same"], pairs), judged, values, str(fields.get("of", "")))


def _bits(values: np.ndarray) -> str:
    return _text(np.packbits(np.asarray(values, bool)))


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _bools(text: str, count: int) -> np.ndarray:
    packed = np.frombuffer(base64.b64decode(text), np.uint8)
    if len(packed) != (count + 7) // 8:
        raise ValueError(f"{len(packed)} bytes of bits for {count} pairs")
    return np.unpackbits(packed, count=count).astype(bool)
