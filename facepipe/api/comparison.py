"""Whether two faces are one person's."""

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

USUAL_FAR = 1e-3
IMPROBABLE = 0.1
"""Up to this probability of one person, faces below the threshold are said to be of different people."""
_PER_ROW, _ENLARGED, _LONGEST = 6, 2, 18
_RECIPES = {"kappa": "scf-small", "sigma2": "probface-small"}
"""What trains a head of a kind."""


@dataclass(frozen=True)
class Decide:
    """By what two faces are judged.

    Attributes:
        score: ``cosine``; ``scf`` (Eq. 13) needs a model with kappa, ``mls`` one with sigma2.
        far: false-accept rate of the decision: the share of pairs of strangers that pass.
        among: the strangers of whom that holds: people at ``random``, or ``alike`` in sex, origin and age.
        threshold: a score to decide at instead.
        prior: probability that the two are one person, before anyone looks.
    """

    score: str = "cosine"
    far: float = USUAL_FAR
    among: Population = "random"
    threshold: float | None = None
    prior: float = 0.5


@dataclass(frozen=True)
class FaceConfidence:
    """How sure the model is of a face.

    Attributes:
        kind: ``kappa`` or ``sigma2``.
        value: κ, or σ².
        surer_than: share of the reference faces on the model's card of which it is less sure; None where unknown.
        unsure: whether people should be told.
    """

    kind: str
    value: float
    surer_than: float | None
    unsure: bool


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two faces, and whether they are one person's.

    Attributes:
        score: higher is more alike; of the kind ``kind``.
        kind: ``cosine``, ``scf`` or ``mls``.
        same: whether the score reaches the threshold.
        verdict: see `verdict`.
        threshold: score from which two faces count as one person's.
        far: false-accept rate that was asked for; None for a threshold that was given.
        among: the population of which ``far`` holds; None with it.
        calibrated_on: the pairs on which the threshold was measured.
        false_matches: population → share of strangers who pass this threshold, None where it was not measured.
        probability: that the two are one person, starting from ``prior``; None where the card has no curve.
        prior: probability before looking.
        probability_fitted_on: the pairs of the curve; empty without one.
        model: ``name@`` and digits of the weights' SHA-256.
        engine: what ran the networks, ``torch`` or ``onnx``.
        precision: number format of the embedding network, ``float32`` or ``bfloat16``.
        findings: settings of the detector, see `facepipe.embedding.finding`.
        photos: the two names.
        faces: the two faces that were compared.
        counts: how many faces each photo shows.
        used: which of them was compared, from 1; None for an aligned crop.
        confidences: of each face; empty where the model has no uncertainty head.
        compared_with: the faces behind ``surer_than``; empty where the card has none.
        views: all that was found in the photos.
        images: the photos; None where many were compared, whose pixels nobody keeps.
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
        """The answer in words, as ``facepipe compare`` begins."""
        answer = self.to_dict()
        lines = [f"{shown(self.photos[0])} and {shown(self.photos[1])}", caption(answer)]
        return "\n".join([*lines, probability_line(answer)] if "probability" in answer else lines)

    def __repr__(self) -> str:
        """Without the arrays of the faces, and in digits that can be read."""
        figures = [f"score={self.score:.4g}", f"threshold={self.threshold:.4g}", f"far={self.far}"]
        figures.append(f"probability={self.probability}")  # not rounded, or it would say 1
        about = [f"photos={self.photos!r}", f"model={self.model!r}"]
        return f"Comparison(verdict={self.verdict!r}, kind={self.kind!r}, {', '.join(figures + about)})"

    def picture(self, caption: str = "", crops: bool = False) -> np.ndarray:
        """Both photos side by side with boxes and landmarks, uint8 H×W×3 RGB.

        Args:
            caption: a line below them.
            crops: put beside each photo the crop that was compared.
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
            values["sureness_compared_with"] = self.compared_with
        return values

    def _account(self, number: int) -> dict[str, Any]:
        face, used = self.faces[number], self.used[number]
        account: dict[str, Any] = {"path": self.photos[number], "faces": self.counts[number]}
        account["remarks"] = list(self.views[number].remarks)
        if used is not None and face.box is not None:
            account |= {"box": face.box.tolist(), "detection_score": face.score}
            account |= {"search": self.views[number].faces.search, "used": used}
        for sure in self.confidences[number : number + 1]:
            account |= {sure.kind: sure.value, "surer_than": sure.surer_than, "unsure": sure.unsure}
        return account


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Many photos compared.

    Attributes:
        made: in the order of the photos.
        failed: photos that could not be compared, each with its reason.
        all_pairs: whether every photo was compared with every other, and not the first with the others.
    """

    made: tuple[Comparison, ...]
    failed: tuple[tuple[str, str], ...] = ()
    all_pairs: bool = False

    def picture(self) -> np.ndarray:
        """A contact sheet of the crops, uint8 H×W×3 RGB.

        Below the first photo stand the others, best score first, each with score, verdict (see `verdict`) and file
        name. Of all pairs every photo has such a part of the sheet.
        """
        from facepipe.report.face_sheet import draw_sheet, in_rows

        parts: dict[int, _SheetPart] = {}
        for one in self.made:
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
        return "\n\n".join([*map(str, self.made), *failed])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: ``comparisons``, and ``failed`` with ``path`` and ``error``."""
        failed = [{"path": path, "error": reason} for path, reason in self.failed]
        return {"comparisons": [one.to_dict() for one in self.made], "failed": failed}


@dataclass(frozen=True)
class _SheetPart:
    """A photo, and with what it was compared."""

    view: CroppedImage
    others: list[tuple[Comparison, CroppedImage]]


def _enlarged(view: CroppedImage) -> np.ndarray:
    return np.kron(view.crops[0], np.ones((_ENLARGED, _ENLARGED, 1), np.uint8))


def _short(view: CroppedImage) -> str:
    """As much of the file's name as stands below a crop."""
    name = view.path.name
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def verdict(same: bool, chance: float | None) -> str:
    """What is said of two faces, so that threshold and probability do not speak against each other.

    Returns:
        ``same``: the score reaches the threshold; ``doubtful``: it does, but one person is less probable than two (at
        a low prior, or a loose threshold); ``not shown``: it does not reach it; ``different``: nor are they probably
        one, up to ``IMPROBABLE``. Without a probability ``same`` or ``not shown``.
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
        found: the same with a crop each.
        findings: how they were found, as `Cropper.findings`.
        embedder: of the model.
        decide: by what to judge.

    Raises:
        ModelError: the model gives no such score, or its card has no threshold for it.
    """
    return replace(compare_pairs(found, findings, embedder, decide)[0], images=(images[0], images[1]))


def compare_pairs(
    found: Sequence[CroppedImage],
    findings: tuple[Finding, ...],
    embedder: Embedder,
    decide: Decide,
    all_pairs: bool = False,
) -> list[Comparison]:
    """Compare the first crop of the first photo with that of each other, or of all photos with each other.

    Args:
        found: two photos or more, with a crop each.
        findings, embedder, decide: as of `compare_faces`.
        all_pairs: every photo with every later one.

    Raises:
        ModelError: as `compare_faces`.
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
            FaceConfidence(sure.name, sure.value, sure.share, sure.unsure)
            for sure in confidences_of_faces(embeddings, card)
        ),
        compared_with=section.measured_on if section is not None and section.quantiles else "",
        views=(one, other),
    )


def require_score(embedder: Embedder, score: str) -> None:
    """Refuse a score that the model does not give.

    Raises:
        ModelError: it has no head for it.
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
        return decide.threshold, None, None, "given on the command line"
    entry = embedder.model.card.threshold_at(decide.far, decide.score, embedder.flip, decide.among)
    return entry.value, entry.far, decide.among, entry.calibrated_on


def _face(result: CroppedImage, embeddings: Embeddings, row: int) -> Face:
    return faces_of(result)[0].with_embedding(embeddings, row)


def _used(result: CroppedImage) -> int | None:
    return int(result.chosen[0]) + 1 if len(result.chosen) else None
