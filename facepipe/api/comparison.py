"""Whether two faces belong to the same person."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from facepipe.api.face import Face, faces_of
from facepipe.api.in_words import caption, probability_line
from facepipe.embedding import Embedder, Embeddings
from facepipe.embedding.finding import Finding
from facepipe.errors import ImageError, ModelError
from facepipe.parameters import parameter
from facepipe.pipeline import CroppedImage, ReadImage
from facepipe.protocols.risk.face_confidence import confidences_of_faces
from facepipe.protocols.risk.stated_probability import stated_probability
from facepipe.score import SCORES, score_pairs
from facepipe.shown import shown
from facepipe.tables import counted
from facepipe.zoo import MatchRate, Population, match_rates

DEFAULT_FAR = 1e-3
IMPROBABLE = 0.1
"""Faces below the threshold count as different people up to this probability of being the same."""
_PER_ROW, _ENLARGED, _LONGEST = 6, 2, 18
_RECIPES = {"kappa": "scf-small", "sigma2": "probface-small"}
"""Recipe that trains each kind of head."""


@dataclass(frozen=True)
class Decide:
    """How to decide whether two faces match.

    Attributes:
        score: ``cosine``; ``scf`` (Eq. 13) needs a model with kappa, ``mls`` one with sigma2.
        far: false-accept rate of the decision: the share of impostor pairs that pass.
        among: the impostors for whom it holds: ``random`` pairs, or people ``alike`` in sex, origin and age.
        threshold: decide at this score instead.
        prior: prior probability that both are the same person.
    """

    score: str = "cosine"
    far: float = DEFAULT_FAR
    among: Population = "random"
    threshold: float | None = None
    prior: float = 0.5


@dataclass(frozen=True)
class FaceConfidence:
    """The model's confidence in a face.

    Attributes:
        kind: ``kappa`` or ``sigma2``.
        value: κ, or σ².
        surer_than: share of the model card's reference faces with lower confidence; None if unknown.
        unsure: whether to warn the user.
    """

    kind: str
    value: float
    surer_than: float | None
    unsure: bool


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two faces, and whether they belong to the same person.

    Attributes:
        score: similarity of kind ``kind``; higher means more similar.
        kind: ``cosine``, ``scf`` or ``mls``.
        same: whether the score reaches the threshold.
        verdict: see `verdict`.
        threshold: lowest score at which two faces count as the same person.
        far: requested false-accept rate; None if a threshold was given.
        among: the population for which ``far`` holds; None like ``far``.
        calibrated_on: the pairs on which the threshold was measured.
        false_matches: population → share of impostors that pass this threshold; None if not measured.
        probability: posterior probability of the same person, given ``prior``; None if the card has no curve.
        prior: prior probability.
        probability_fitted_on: the pairs the curve was fitted to; empty without one.
        model: ``name@`` and leading digits of the weights' SHA-256.
        engine: what ran the networks, ``torch`` or ``onnx``.
        precision: number format of the embedding network, ``float32`` or ``bfloat16``.
        findings: settings of the detector, see `facepipe.embedding.finding`.
        photos: names of the two photos.
        faces: the two faces that were compared.
        counts: number of faces in each photo.
        used: which of them was compared, counted from 1; None for an aligned crop.
        confidences: of each face; empty if the model has no uncertainty head.
        compared_with: the reference faces of ``surer_than``; empty if the card has none.
        views: detection results of the photos.
        images: the photos; None if many were compared, as pixels are not kept then.
    """

    score: float
    kind: str
    same: bool
    verdict: str
    threshold: float
    far: float | None
    among: Population | None
    calibrated_on: str
    false_matches: dict[str, MatchRate | None]
    probability: float | None
    prior: float
    probability_fitted_on: str
    model: str
    engine: str
    precision: str
    findings: tuple[Finding, ...]
    photos: tuple[str, str]
    faces: tuple[Face, Face]
    counts: tuple[int, int]
    used: tuple[int | None, int | None]
    confidences: tuple[FaceConfidence, ...]
    compared_with: str
    views: tuple[CroppedImage, CroppedImage] = field(repr=False)
    images: tuple[ReadImage, ReadImage] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """The result in words: the first lines of ``facepipe compare``."""
        answer = self.to_dict()
        lines = [f"{shown(self.photos[0])} and {shown(self.photos[1])}", caption(answer)]
        return "\n".join([*lines, probability_line(answer)] if "probability" in answer else lines)

    def __repr__(self) -> str:
        """Without the arrays of the faces, with rounded figures."""
        figures = [f"score={self.score:.4g}", f"threshold={self.threshold:.4g}", f"far={self.far}"]
        figures.append(f"probability={self.probability}")  # not rounded, or it would say 1
        about = [f"photos={self.photos!r}", f"model={self.model!r}"]
        return f"Comparison(verdict={self.verdict!r}, kind={self.kind!r}, {', '.join(figures + about)})"

    def picture(self, caption: str = "", crops: bool = False) -> np.ndarray:
        """Both photos side by side with boxes and landmarks, uint8 H×W×3 RGB.

        Args:
            caption: a line below them.
            crops: show the compared crop next to each photo.
        """
        from facepipe.report.drawing import draw_faces, side_by_side

        if self.images is None:
            raise ImageError(f"{self.photos[0]}: the pixels of many photos are not kept; use Comparisons.picture")
        panels = []
        for image, view in zip(self.images, self.views, strict=True):
            assert image.pixels is not None
            panels.append(draw_faces(image.pixels, view.faces, view.chosen))
            panels += view.crops[:1] if crops else ()
        return side_by_side(panels, caption)

    def to_dict(self) -> dict[str, Any]:
        """What ``facepipe compare --json`` prints."""
        values: dict[str, Any] = {
            "score": self.score,
            "kind": self.kind,
            "same": self.same,
            "verdict": self.verdict,
            "threshold": self.threshold,
            "far": self.far,
            "among": self.among,
            "calibrated_on": self.calibrated_on,
            "false_matches": {name: rate and vars(rate) for name, rate in self.false_matches.items()},
        }
        if self.probability is not None:
            values |= {"probability": self.probability, "prior": self.prior}
            values["probability_fitted_on"] = self.probability_fitted_on
        values |= {"model": self.model, "engine": self.engine, "precision": self.precision}
        values["findings"] = list(self.findings)
        values["images"] = [self._account(number) for number in range(2)]
        if self.compared_with:
            values["confidence_compared_with"] = self.compared_with
        return values

    def _account(self, number: int) -> dict[str, Any]:
        face, used = self.faces[number], self.used[number]
        account: dict[str, Any] = {"path": self.photos[number], "faces": self.counts[number]}
        account["remarks"] = list(self.views[number].remarks)
        if used is not None and face.box is not None:
            account |= {"box": face.box.tolist(), "detection_score": face.score}
            account |= {"search": self.views[number].faces.search, "used": used}
        for confidence in self.confidences[number : number + 1]:
            account |= {confidence.kind: confidence.value, "surer_than": confidence.surer_than}
            account["unsure"] = confidence.unsure
        return account


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Comparisons of many photos.

    Attributes:
        comparisons: in the order of the photos.
        failed: photos that could not be compared, each with the reason.
        all_pairs: whether every photo was compared with every other, rather than the first with the others.
    """

    comparisons: tuple[Comparison, ...]
    failed: tuple[tuple[str, str], ...] = ()
    all_pairs: bool = False

    def picture(self) -> np.ndarray:
        """A contact sheet of the crops, uint8 H×W×3 RGB.

        Each first photo is followed by the others, best score first, with score, verdict (see `verdict`) and file
        name. With all pairs, every photo has such a part of the sheet.
        """
        from facepipe.report.face_sheet import draw_sheet, in_rows

        parts: dict[int, _SheetPart] = {}
        for one in self.comparisons:
            first, second = one.views
            parts.setdefault(id(first), _SheetPart(first, [])).others.append((one, second))
            if self.all_pairs:
                parts.setdefault(id(second), _SheetPart(second, [])).others.append((one, first))
        strips = []
        for part in parts.values():
            ranked = sorted(part.others, key=lambda other: -other[0].score)
            captions = [f"{one.score:.3f} {one.verdict}: {_short(view)}" for one, view in ranked]
            threshold = f"{counted(len(ranked), 'photo')}, threshold {ranked[0][0].threshold:.3f}"
            strips += in_rows(f"{_short(part.view)} against {threshold}", [_enlarged(part.view)], [""], 1)
            strips += in_rows("", [_enlarged(view) for _, view in ranked], captions, _PER_ROW)
        return draw_sheet(strips)

    def __str__(self) -> str:
        """Each comparison in words, and each photo that failed."""
        failed = [f"{shown(path)}: {reason}" for path, reason in self.failed]
        return "\n\n".join([*map(str, self.comparisons), *failed])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: ``comparisons``, and ``failed`` with ``path`` and ``error``."""
        failed = [{"path": path, "error": reason} for path, reason in self.failed]
        return {"comparisons": [one.to_dict() for one in self.comparisons], "failed": failed}


@dataclass(frozen=True)
class _SheetPart:
    """A photo and those it was compared with."""

    view: CroppedImage
    others: list[tuple[Comparison, CroppedImage]]


def _enlarged(view: CroppedImage) -> np.ndarray:
    return np.kron(view.crops[0], np.ones((_ENLARGED, _ENLARGED, 1), np.uint8))


def _short(view: CroppedImage) -> str:
    """The file name, shortened to fit below a crop."""
    name = view.path.name
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def verdict(same: bool, chance: float | None) -> str:
    """The verdict on two faces, chosen so that threshold and probability do not contradict each other.

    Returns:
        ``same``: the score reaches the threshold; ``doubtful``: it does, but two people are more probable than one
        (at a low prior or a loose threshold); ``not shown``: it does not; ``different``: it does not, and the
        probability of one person is at most ``IMPROBABLE``. Without a probability, ``same`` or ``not shown``.
    """
    if same:
        return "doubtful" if chance is not None and chance < 0.5 else "same"
    return "different" if chance is not None and chance <= IMPROBABLE else "not shown"


def compare_faces(
    images: Sequence[ReadImage],
    found: Sequence[CroppedImage],
    findings: tuple[Finding, ...],
    embedder: Embedder,
    decide: Decide,
) -> Comparison:
    """Compare the first crops of two photos.

    Args:
        images: the two photos.
        found: their detection results, with a crop each.
        findings: how faces were found, see `Cropper.findings`.
        embedder: of the model.
        decide: how to decide.

    Raises:
        ModelError: the model does not support the score, or its card has no threshold for it.
    """
    return replace(compare_pairs(found, findings, embedder, decide)[0], images=(images[0], images[1]))


def compare_pairs(
    found: Sequence[CroppedImage],
    findings: tuple[Finding, ...],
    embedder: Embedder,
    decide: Decide,
    all_pairs: bool = False,
) -> list[Comparison]:
    """Compare the first crop of the first photo with that of each other photo, or all photos with each other.

    Args:
        found: results of two photos or more, with a crop each.
        findings, embedder, decide: see `compare_faces`.
        all_pairs: compare every photo with every later one.

    Raises:
        ModelError: see `compare_faces`.
    """
    _threshold(embedder, decide)
    embeddings = replace(embedder(np.stack([result.crops[0] for result in found])), findings=findings)
    pairs = combinations(range(len(found)), 2) if all_pairs else ((0, other) for other in range(1, len(found)))
    return [_compare(found, embeddings, pair, embedder, decide) for pair in pairs]


def _compare(
    found: Sequence[CroppedImage], every: Embeddings, rows: tuple[int, int], embedder: Embedder, decide: Decide
) -> Comparison:
    threshold, far, among, calibrated_on = _threshold(embedder, decide)
    embeddings = every.take(list(rows))
    pair = np.array([0]), np.array([1])
    scores = score_pairs(decide.score, embeddings, *pair)
    value = float(scores[0])
    card = embedder.model.card
    curve = card.probability_of(decide.score, embedder.flip)
    chance = None
    if curve is not None:
        chance = float(stated_probability(curve, scores, embeddings, *pair, decide.prior)[0])
    section = card.uncertainty
    one, other = (found[row] for row in rows)
    return Comparison(
        score=value,
        kind=decide.score,
        same=value >= threshold,
        verdict=verdict(value >= threshold, chance),
        threshold=threshold,
        far=far,
        among=among,
        calibrated_on=calibrated_on,
        false_matches=match_rates(card, threshold, decide.score, embedder.flip),
        probability=chance,
        prior=decide.prior,
        probability_fitted_on="" if curve is None else curve.fitted_on,
        model=embedder.model.identity,
        engine=embedder.engine,
        precision=embedder.precision,
        findings=every.findings,
        photos=(str(one.path), str(other.path)),
        faces=(_face(one, embeddings, 0), _face(other, embeddings, 1)),
        counts=(len(one.faces), len(other.faces)),
        used=(_used(one), _used(other)),
        confidences=tuple(
            FaceConfidence(one.name, one.value, one.share, one.unsure)
            for one in confidences_of_faces(embeddings, card)
        ),
        compared_with=section.measured_on if section is not None and section.quantiles else "",
        views=(one, other),
    )


def require_score(embedder: Embedder, score: str) -> None:
    """Raise an error for a score that the model does not support.

    Raises:
        ModelError: the model has no head for it.
        EmbeddingsError: unknown score.
    """
    needed, head = SCORES[score].needs, embedder.model.head
    if needed and (head is None or head.kind != needed):
        raise ModelError(
            f"model {embedder.model.card.name} has no {needed} head, which "
            f"{parameter('score', score)} needs; train one with "
            f"'facepipe train {_RECIPES[needed]}', or score by cosine"
        )


def _threshold(embedder: Embedder, decide: Decide) -> tuple[float, float | None, Population | None, str]:
    require_score(embedder, decide.score)
    if decide.threshold is not None:
        return decide.threshold, None, None, "set by the user"
    entry = embedder.model.card.threshold_at(decide.far, decide.score, embedder.flip, decide.among)
    return entry.value, entry.far, decide.among, entry.calibrated_on


def _face(result: CroppedImage, embeddings: Embeddings, row: int) -> Face:
    return faces_of(result)[0].with_embedding(embeddings, row)


def _used(result: CroppedImage) -> int | None:
    return int(result.chosen[0]) + 1 if len(result.chosen) else None
