"""The score from which a face gets a name, for a chosen false-positive rate of the whole gallery."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from facepipe.errors import ModelError
from facepipe.parameters import parameter
from facepipe.tables import counted
from facepipe.zoo import Card, MatchRate, Population, match_rates


@dataclass(frozen=True)
class Decision:
    """When a face is named.

    Attributes:
        threshold: a face is named when its best score is at least this.
        fpir: share of searches of people outside the gallery that would give a name; None for a given threshold.
        far: false-accept rate of one comparison that this allows; None where none was asked for.
        how: ``measured``, ``interpolated``, ``extrapolated`` or ``given``.
        calibrated_on: the pairs, or the faces of strangers, on which the threshold was measured.
        among: the population of strangers of whom the rates hold; None for a given or a measured threshold.
        false_matches: population → share of its strangers whom one comparison takes for the same person, None where
            the card does not tell; empty where no card was asked.
    """

    threshold: float
    fpir: float | None
    far: float | None
    how: str
    calibrated_on: str
    among: Population | None = None
    false_matches: Mapping[str, MatchRate | None] = field(default_factory=dict)


def given(threshold: float) -> Decision:
    """A decision at a score that somebody chose."""
    return Decision(threshold, None, None, "given", "given by hand")


def decide(
    card: Card,
    fpir: float,
    people: int,
    score: str = "cosine",
    flip: str | None = None,
    among: Population = "random",
) -> Decision:
    """The threshold at which a stranger is named in at most a share ``fpir`` of the searches of a gallery.

    A search compares with every one of N people, so it goes wrong far more often than one comparison: if
    comparisons of strangers pass with rate FAR, independently, one of N passes with rate FPIR = 1 − (1 − FAR)^N.
    Hence FAR = 1 − (1 − FPIR)^(1/N). Scores against different people are in truth positively dependent (a blurred
    face resembles everybody), which makes false names rarer than that.

    A card has thresholds at a few rates only. Between and beyond them the threshold is bounded from above, on the
    assumption that it is a concave function of log FAR, as it is for scores whose upper tail is normal or lighter:
    then the line through two neighbouring points lies above the function everywhere outside them. The result is
    the lowest of those lines and of the threshold at the next stricter rate; it errs towards ``unknown``. Beyond the
    strictest rate nothing was measured: ``how`` is then ``extrapolated``.

    Args:
        card: of the model.
        fpir: false-positive identification rate, between 0 and 1.
        people: N, how many there are in the gallery.
        score: ``cosine``, ``scf`` or ``mls``.
        flip: flip rule of the embeddings; None is the card's own.
        among: the strangers: people at ``random``, or people ``alike``.

    Raises:
        ModelError: the rate is impossible, or the card has no threshold from which it could be bounded.
    """
    if not 0 < fpir < 1:
        raise ModelError(f"a false-positive rate of {fpir:g} must lie between 0 and 1")
    far = -math.expm1(math.log1p(-fpir) / max(people, 1))
    points = curve(card, score, flip, among)
    threshold, how = _bounded(points, -math.log10(far))
    if threshold is None:
        rates = ", ".join(f"{10 ** -x:g}" for x, _ in points)
        alike = " among people who are alike" if among == "alike" else ""
        raise ModelError(
            f"model {card.name} has {score} thresholds{alike} at FAR {rates or 'no rate'}: too few for FAR {far:.2g}, "
            f"which FPIR {fpir:g} over {counted(people, 'person')} needs; 'facepipe calibrate {card.name} PAIRS|CROPS "
            f"-o {card.name}.toml' measures more, or give {parameter('threshold')}"
        )
    threshold = min(threshold, 1.0) if score == "cosine" else threshold
    calibrated = card.thresholds_of(score, flip, among)[0].calibrated_on
    return Decision(threshold, fpir, far, how, calibrated, among, match_rates(card, threshold, score, flip))


def curve(
    card: Card, score: str = "cosine", flip: str | None = None, among: Population = "random"
) -> list[tuple[float, float]]:
    """The card's measured points, from the loosest on: (−log10 FAR, threshold)."""
    return sorted((-math.log10(t.far), t.value) for t in card.thresholds_of(score, flip, among))


def _bounded(points: list[tuple[float, float]], x: float) -> tuple[float | None, str]:
    """The least upper bound at ``x`` = −log10 FAR that concavity allows, and how it came about."""
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
        # Never below the chord, should a card's points not be concave.
        return max(min(bounds), _line(below[-1], above[0], x)), "interpolated"
    return min(bounds), "extrapolated"


def _line(a: tuple[float, float], b: tuple[float, float], x: float) -> float:
    return a[1] + (b[1] - a[1]) / (b[0] - a[0]) * (x - a[0])
