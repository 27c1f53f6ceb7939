"""All calibration data of a model card, measured on faces or on a list of pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facepipe.calibration.faces import KnownFaces, RandomPairs, genuine_pairs, random_pairs
from facepipe.calibration.groups import GROUP, alike_pairs
from facepipe.calibration.thresholds import ScoredSet, alike_thresholds, random_thresholds
from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError, FacepipeError
from facepipe.protocols.risk.stated_probability import pair_confidence
from facepipe.protocols.risk.uncertainty import uncertainty
from facepipe.protocols.rows import find_rows
from facepipe.score import fit_logistic, score_pairs
from facepipe.score.pair_scores import scores_of
from facepipe.tables import counted
from facepipe.zoo import Card, Flip, Probability, Threshold

CALIBRATED_FARS = (1e-2, 1e-3, 1e-4, 1e-5)
LOOSE = (1e-1,)
"""Also measured for similar people, so that a card gives their false-match rate at the thresholds for random pairs."""
_QUANTILES = 21
_ONE_PERSON = 0.25
"""Share of the genuine pairs from which one person is reported, if it is also three times the average share."""
_FITTED = 100_000
"""Most pairs of one kind that a curve is fitted to, evenly spaced; more would not change it."""

Rows = tuple[np.ndarray, np.ndarray]
"""Rows of the left and the right face of each pair, int64."""


@dataclass(frozen=True)
class Calibration:
    """Calibration data for a card.

    Attributes:
        thresholds: for both populations, as far as the faces allow.
        probabilities: a curve per score.
        quantiles: evenly spaced quantiles of κ or σ², smallest first; empty for a model without a head.
        flip: the flip rule of the embeddings.
        measured_on: description of the faces or pairs.
        counts: numbers of images, people, strangers, excluded children, and pairs of each kind.
        notes: on figures that could not be measured.
    """

    thresholds: tuple[Threshold, ...]
    probabilities: tuple[Probability, ...]
    quantiles: tuple[float, ...]
    flip: Flip
    measured_on: str
    counts: Mapping[str, Any]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "measured_on": self.measured_on,
            "flip": self.flip,
            "counts": dict(self.counts),
            "thresholds": [one.to_dict() for one in self.thresholds],
            "probabilities": [one.to_dict() for one in self.probabilities],
            "quantiles": list(self.quantiles),
            "notes": list(self.notes),
        }


def calibrate_faces(
    faces: KnownFaces, about: str, fars: Sequence[float] = CALIBRATED_FARS, seed: int = 0
) -> Calibration:
    """Calibrate on faces: genuine pairs within each named person, impostor pairs among all people.

    Thresholds for random pairs use adults (everybody, if ages are unknown); those for similar people need age and sex
    in the faces' metadata.

    Args:
        faces: embedded by the model, of people not in its training data.
        about: their origin, for the card.
        fars: false-accept rates; rates for which there are too few pairs are omitted with a note.
        seed: random seed for choosing faces, if there are many.

    Raises:
        DatasetError: there are fewer than two people.
    """
    genuine = genuine_pairs(faces, seed) if faces.named.any() else (np.zeros(0, np.int64),) * 2
    impostor = random_pairs(faces, seed)
    if not impostor:
        raise DatasetError("calibration needs faces of at least two people, or a list of pairs")
    alike = alike_pairs(faces.group, faces.person)
    people = len(np.unique(faces.person[faces.named]))
    counts = {
        "images": len(faces), "people": people, "strangers": int((~faces.named).sum()),
        "children": int(faces.child.sum()), "genuine_pairs": len(genuine[0]),
        "impostor_pairs": {name: len(pairs.left) for name, pairs in impostor.items()},
        "alike_pairs": {name: len(rows[0]) for name, rows in alike.items()},
    }  # fmt: skip
    measured = _measure(faces.embeddings, genuine, impostor, alike, fars, f"{_in_words(counts)}; {about}", counts)
    return replace(measured, notes=(*_one_person(faces, genuine[0]), *measured.notes))


def calibrate_pairs(
    embeddings: Embeddings, pairs: Pairs, about: str, fars: Sequence[float] = CALIBRATED_FARS
) -> Calibration:
    """Calibrate on a list of genuine and impostor pairs.

    Args:
        embeddings: of the images in the pairs.
        pairs: of people not in the model's training data.
        about: their origin, for the card.
        fars: false-accept rates.

    Raises:
        DatasetError: an image has no embedding, or there are no impostor pairs.
    """
    rows = find_rows(embeddings, pairs.names)
    left, right = rows[pairs.left], rows[pairs.right]
    if pairs.same.all():
        raise DatasetError("calibration needs pairs of different people; this list has none")
    genuine, impostor = (left[pairs.same], right[pairs.same]), (left[~pairs.same], right[~pairs.same])
    counts = {"images": len(pairs.names), "genuine_pairs": len(genuine[0]), "impostor_pairs": len(impostor[0])}
    message = f"{counts['genuine_pairs']:,} genuine and {counted(counts['impostor_pairs'], 'impostor pair')}; {about}"
    listed = {"listed": RandomPairs(*impostor, people=0)}
    return _measure(embeddings.take(np.unique(rows)), genuine, listed, {}, fars, message, counts, embeddings)


def calibrated_card(card: Card, measured: Calibration) -> Card:
    """The card with the measured thresholds, probabilities and quantiles for their flip rule.

    Those for other flip rules are kept; those for the same rule are all replaced, including scores that were not
    measured: a card describes one set of faces.
    """
    default = card.embedding.flip
    flip = None if measured.flip == default else measured.flip
    kept = [one for one in card.thresholds if (one.flip or default) != measured.flip]
    kept_curves = [one for one in card.probabilities if (one.flip or default) != measured.flip]
    thresholds = [replace(one, flip=flip) for one in measured.thresholds]
    curves = [replace(one, flip=flip) for one in measured.probabilities]
    section = card.uncertainty
    if section is not None and measured.quantiles and flip is None:
        section = replace(section, quantiles=measured.quantiles, measured_on=measured.measured_on)
    return replace(
        card, thresholds=(*thresholds, *kept), probabilities=(*curves, *kept_curves), uncertainty=section
    )


def _measure(
    faces: Embeddings,
    genuine: Rows,
    impostor: Mapping[str, RandomPairs],
    alike: Mapping[str, Rows],
    fars: Sequence[float],
    measured_on: str,
    counts: Mapping[str, Any],
    scored: Embeddings | None = None,
) -> Calibration:
    """``faces`` give the confidence quantiles, rows index into ``scored``, by default the same."""
    scored = faces if scored is None else scored
    thresholds: list[Threshold] = []
    probabilities: list[Probability] = []
    notes: list[str] = []
    for score in scores_of(scored):
        same = score_pairs(score, scored, *genuine)
        sets = {name: score_pairs(score, scored, pairs.left, pairs.right) for name, pairs in impostor.items()}
        counted = {name: ScoredSet(sets[name], _chances(pairs)) for name, pairs in impostor.items()}
        found, remarks = random_thresholds(same, counted, fars, measured_on, score)
        groups = {name: score_pairs(score, scored, *rows) for name, rows in alike.items()}
        both = [*LOOSE, *fars]
        found_alike, alike_remarks = alike_thresholds(same, groups, both, GROUP, score) if groups else ([], [])
        thresholds += found + found_alike
        notes += remarks + alike_remarks
        try:
            random = {name: (pairs.left, pairs.right) for name, pairs in impostor.items()}
            against = (alike, groups, "of people alike") if alike else (random, sets, "at random")
            probabilities.append(_probability(score, scored, (genuine, same), *against))
        except FacepipeError as error:
            notes.append(f"no probability for {score} scores: {error}")
    if not alike:
        notes.append("similar people were not measured: the faces have no age and sex")
    return Calibration(
        tuple(thresholds),
        tuple(probabilities),
        _quantiles(faces),
        faces.flip,
        measured_on,
        counts,
        tuple(notes),
    )


def _chances(pairs: RandomPairs) -> int:
    """Number of pairs of people; for a list, whose people are unknown, its number of pairs."""
    return pairs.people * (pairs.people - 1) // 2 if pairs.people else len(pairs.left)


def _probability(
    score: str,
    scored: Embeddings,
    genuine: tuple[Rows, np.ndarray],
    impostor: Mapping[str, Rows],
    scores_of_kind: Mapping[str, np.ndarray],
    kind: str,
) -> Probability:
    """The curve of a score; each group or set of impostor pairs has equal weight.

    Impostor pairs are of similar people if known, since people who differ at first sight are rarely worth comparing.
    """
    known = [(rows, scores_of_kind[name]) for name, rows in impostor.items() if len(rows[0])]
    thinned = [_thinned(rows, scores) for rows, scores in known]
    scores = np.concatenate([part for _, part in thinned])
    rows = [np.concatenate([sides[side] for sides, _ in thinned]) for side in (0, 1)]
    weight = np.concatenate([np.full(len(part), 1 / len(part)) for _, part in thinned])
    confidence = None
    if score == "cosine":  # other scores already include κ or σ²
        of_same, of_different = pair_confidence(scored, *genuine[0]), pair_confidence(scored, rows[0], rows[1])
        confidence = None if of_same is None or of_different is None else (of_same, of_different)
    curve = fit_logistic(genuine[1], scores, weight, confidence)
    count = sum(len(part) for _, part in known)
    fitted_on = f"{len(genuine[1]):,} genuine and {counted(count, 'impostor pair')} {kind}"
    fitted_on += f", {counted(len(known), 'group')} with equal weight" if len(known) > 1 else ""
    return Probability(score=score, fitted_on=fitted_on, **curve._asdict())


def _thinned(rows: Rows, scores: np.ndarray) -> tuple[Rows, np.ndarray]:
    step = slice(None, None, max(1, -(-len(scores) // _FITTED)))
    return (rows[0][step], rows[1][step]), scores[step]


def _quantiles(embeddings: Embeddings) -> tuple[float, ...]:
    kind = "kappa" if embeddings.kappa is not None else "sigma2"
    if getattr(embeddings, kind) is None:
        return ()
    values = np.abs(uncertainty(kind, embeddings))
    return tuple(np.quantile(values, np.linspace(0, 1, _QUANTILES)).tolist())


def _one_person(faces: KnownFaces, left: np.ndarray) -> list[str]:
    """A note if the genuine pairs, whose number grows with the square of the images, are mostly of one person."""
    pairs = np.bincount(faces.person[left]) if len(left) else np.zeros(1, np.int64)
    most = int(pairs.argmax())
    if pairs[most] <= len(left) * max(_ONE_PERSON, 3 / (pairs > 0).sum()):
        return []
    images = counted(len(np.unique(left[faces.person[left] == most])) + 1, "image")
    return [
        f"{pairs[most]:,} of {counted(len(left), 'genuine pair')} are of one person with {images}: the shares of "
        "genuine pairs that are accepted, and the probabilities, mostly describe that person; leave some of the images "
        "out"
    ]


def _in_words(counts: Mapping[str, Any]) -> str:
    kinds = {"people": "person", "strangers": "stranger"}
    who = [counted(counts[kind], one) for kind, one in kinds.items() if counts[kind]]
    return f"{counted(counts['images'], 'face')} of {' and '.join(who)}"
