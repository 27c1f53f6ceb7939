"""The score at which a face is named, for a given false-positive rate over the whole gallery."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from facepipe.errors import ModelError
from facepipe.parameters import parameter
from facepipe.tables import counted
from facepipe.zoo import Card, MatchRate, Population, match_rates


@dataclass(frozen=True)
class Decision:
    """The threshold for naming a face.

    Attributes:
        threshold: a face is named when its best score is at least this.
        fpir: share of searches by people outside the gallery that return a name; None for a given threshold.
        far: corresponding false-accept rate of one comparison; None if none was requested.
        how: ``measured``, ``interpolated``, ``extrapolated`` or ``given``.
        calibrated_on: the pairs, or the faces of strangers, on which the threshold was measured.
        among: the population of impostors for which the rates hold; None for a given or measured threshold.
        false_matches: population → share of its impostors accepted in one comparison, None if
            not on the card; empty without a card.
    """

    threshold: float
    fpir: float | None
    far: float | None
    how: str
    calibrated_on: str
    among: Population | None = None
    false_matches: Mapping[str, MatchRate | None] = field(default_factory=dict)


def decision_at(threshold: float) -> Decision:
    """A decision at a given score."""
    return Decision(threshold, None, None, "given", "given by hand")


def decide(
    card: Card,
    fpir: float,
    people: int,
    score: str = "cosine",
    flip: str | None = None,
    among: Population = "random",
) -> Decision:
    """The threshold at which at most a share ``fpir`` of searches by strangers return a name.

    A search compares with each of N people, so it errs far more often than one comparison: if comparisons of strangers
    pass independently with rate FAR, one of N passes with rate FPIR = 1 − (1 − FAR)^N. Hence
    FAR = 1 − (1 − FPIR)^(1/N). In reality scores against different people are positively dependent (a blurred face
    resembles everybody), which makes false names rarer than that.

    A card has thresholds only at a few rates. Between and beyond them the threshold is bounded from above, assuming
    that it is a concave function of log FAR, as for scores whose upper tail is normal or lighter: then the line through
    two neighbouring points lies above the function outside their interval. The result is the lowest of those lines and
    of the threshold at the next stricter rate; for impostors like those of the card it errs towards ``unknown``, for
    others the rate may be exceeded. Beyond the strictest rate nothing was measured: ``how`` is then ``extrapolated``.

    Args:
        card: of the model.
        fpir: false-positive identification rate, between 0 and 1.
        people: N, number of people in the gallery.
        score: ``cosine``, ``scf`` or ``mls``.
        flip: flip rule of the embeddings; None means the card's own.
        among: population of impostors: ``random`` or ``alike``.

    Raises:
        ModelError: the rate is invalid, or the card has too few thresholds to bound it.
    """
    if not 0 < fpir < 1:
        raise ModelError(f"the false-positive rate must be between 0 and 1, not {fpir:g}")
    far = -math.expm1(math.log1p(-fpir) / max(people, 1))
    points = curve(card, score, flip, among)
    threshold, how = _bounded(points, -math.log10(far))
    if threshold is None:
        rates = ", ".join(f"{10 ** -x:g}" for x, _ in points)
        alike = " among people who are alike" if among == "alike" else ""
        raise ModelError(
            f"model {card.name} has {score} thresholds{alike} at FAR {rates or 'no rate'}: too few for FAR {far:.2g}, "
            f"which FPIR {fpir:g} over {counted(people, 'person')} needs; 'facepipe calibrate {card.name} PAIRS|CROPS "
            f"-o {card.name}.toml' measures more, or set {parameter('threshold')}"
        )
    threshold = min(threshold, 1.0) if score == "cosine" else threshold
    calibrated = card.thresholds_of(score, flip, among)[0].calibrated_on
    return Decision(threshold, fpir, far, how, calibrated, among, match_rates(card, threshold, score, flip))


def curve(
    card: Card, score: str = "cosine", flip: str | None = None, among: Population = "random"
) -> list[tuple[float, float]]:
    """The card's measured points (−log10 FAR, threshold), loosest first."""
    return sorted((-math.log10(t.far), t.value) for t in card.thresholds_of(score, flip, among))


def _bounded(points: list[tuple[float, float]], x: float) -> tuple[float | None, str]:
    """The lowest upper bound at ``x`` = −log10 FAR under concavity, and how it was obtained."""
    for at, value in points:
        if math.isclose(at, x, rel_tol=1e-9, abs_tol=1e-9):
            return value, "measured"
    place = sum(at < x for at, _ in points)
    below, above = points[:place], points[place:]
    bounds = [value for _, value in above[:1]]
    bounds += [_line(pair[0], pair[1], x) for pair in (below[-2:], above[:2]) if len(pair) == 2]
    if not bounds:
        return None, "extrapolated"
    if below and above:
        # Never below the chord, in case a card's points are not concave.
        return max(min(bounds), _line(below[-1], above[0], x)), "interpolated"
    return min(bounds), "extrapolated"


def _line(a: tuple[float, float], b: tuple[float, float], x: float) -> float:
    return a[1] + (b[1] - a[1]) / (b[0] - a[0]) * (x - a[0])
