"""Which fit of a probability holds on unseen people? Robust fits compared with that of `calibrate`.

    facepipe embed LFW -o lfw.parquet
    python benchmarks/probability_fits.py MODEL TRAIN UNLABELLED --lfw lfw.parquet --pairs pairs.txt \\
        [--score cosine scf]

Genuine pairs are those of the 200 held-out people; impostors who look alike are the held-out strangers, as for the
cards. Each fit uses the people of all sources but one and half of the strangers, and is evaluated on the people of the
remaining source, weighted equally, and the other half. Then it uses all of them and is evaluated on LFW, which is not
used to choose anything. Prints Cllr, and the mean of stated minus observed between 10 and 90 %, in points; on LFW also
the expected calibration error in ten bins. A second table has the fit of `calibrate` to other impostors: pairs at
random, pairs of people alike, and half of each; with and without the confidence.

A mixture treats a share of the genuine pairs as wrong labels: with odds r of one person, log((1 - share) r + share) are
the log odds of the label. "told" reports these log odds, with their floor; otherwise log r is reported.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from facepipe.calibration.faces import KnownFaces, genuine_pairs, random_pairs
from facepipe.calibration.groups import alike_pairs
from facepipe.calibration.sources import HeldOut, faces_of_crops, open_crops, read_one_person
from facepipe.datasets.pairs.lfw_pairs import read_lfw_pairs
from facepipe.embedding import Embedder, Embeddings, load_embeddings
from facepipe.protocols.risk.stated_probability import pair_confidence
from facepipe.protocols.rows import find_rows
from facepipe.score import score_pairs
from facepipe.score.reliability import reliability
from facepipe.zoo import load

_MOST = 20_000
_CLIP = 1e-4
Odds = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class Kind:
    """Pairs of one kind: scores, confidences of the less sure face (None without), weights."""

    scores: np.ndarray
    sure: np.ndarray | None
    weight: np.ndarray

    def take(self, rows: np.ndarray) -> "Kind":
        return Kind(self.scores[rows], None if self.sure is None else self.sure[rows], self.weight[rows])

    def weighing(self, weight: np.ndarray) -> "Kind":
        return Kind(self.scores, self.sure, weight)


def kind_of(score: str, faces: Embeddings, left: np.ndarray, right: np.ndarray) -> Kind:
    sure = pair_confidence(faces, left, right) if score == "cosine" else None
    return Kind(score_pairs(score, faces, left, right), sure, np.ones(len(left)))


def at_random(score: str, faces: KnownFaces) -> Kind:
    """Pairs at random of different people within a set, each set weighing the same."""
    parts = []
    for pairs in random_pairs(faces).values():
        rows = np.arange(0, len(pairs.left), max(1, -(-len(pairs.left) // (5 * _MOST))))
        part = kind_of(score, faces.embeddings, pairs.left[rows], pairs.right[rows])
        parts.append(part.weighing(np.full(len(rows), 1 / len(rows))))
    return joined(parts)


def joined(parts: list[Kind]) -> Kind:
    sure = None if parts[0].sure is None else np.concatenate([np.asarray(part.sure) for part in parts])
    scores, weight = (np.concatenate([getattr(part, name) for part in parts]) for name in ("scores", "weight"))
    return Kind(scores, sure, weight)


def impostors(score: str, faces: KnownFaces, among: np.ndarray) -> Kind:
    """Pairs alike of some faces, each group weighing the same."""
    parts = []
    for left, right in alike_pairs(faces.group, faces.person).values():
        rows = np.flatnonzero(among[left] & among[right])
        rows = rows[:: max(1, -(-len(rows) // _MOST))]
        if len(rows) > 20:
            part = kind_of(score, faces.embeddings, left[rows], right[rows])
            parts.append(part.weighing(np.full(len(rows), 1 / len(rows))))
    return joined(parts)


def fit(same: Kind, other: Kind, share: float | None = 0.0, told: bool = False) -> Odds:
    """Log odds of one person, linear in score and confidence; ``share`` of wrong names, None to fit it."""
    scores = np.concatenate([same.scores, other.scores])
    centre, spread = scores.mean(), scores.std()
    both = None if same.sure is None else np.concatenate([same.sure, np.asarray(other.sure)])
    low, high = (0.0, 0.0) if both is None else np.quantile(both, (0.01, 0.99))

    def columns(of: np.ndarray, sure: np.ndarray | None) -> np.ndarray:
        x = (of - centre) / spread
        c = np.zeros_like(x) if sure is None else np.clip(sure, low, high) - low
        return np.stack([np.ones_like(x), x, c, x * c])

    x, y = columns(scores, both), np.repeat([1.0, 0.0], [len(same.scores), len(other.scores)])
    weight = np.concatenate([same.weight / same.weight.sum(), other.weight / other.weight.sum()]) / 2

    def floored(odds: np.ndarray, part: float) -> np.ndarray:
        return np.asarray(np.logaddexp(np.log1p(-part) + odds, np.log(part))) if part else odds

    def loss(values: np.ndarray) -> float:
        part = 1 / (1 + np.exp(-values[4])) if share is None else share
        odds = floored(values[:4] @ x, part)
        return float(weight @ (np.logaddexp(0, odds) - y * odds))

    begun = np.array([0.0, 3.0, 0.0, 0.0, -4.0])
    found = minimize(loss, begun, method="L-BFGS-B", bounds=[(None, None)] * 4 + [(-9, -1)]).x
    part = 1 / (1 + np.exp(-found[4])) if share is None else share
    return lambda of, sure: floored(found[:4] @ columns(of, sure), part if told else 0.0)


def isotonic(same: Kind, other: Kind) -> Odds:
    """A staircase on the odds of the straight line."""
    line = fit(same, other)
    odds = np.concatenate([line(same.scores, same.sure), line(other.scores, other.sure)])
    y = np.repeat([1.0, 0.0], [len(same.scores), len(other.scores)])
    weight = np.concatenate([same.weight / same.weight.sum(), other.weight / other.weight.sum()])
    stairs = IsotonicRegression(y_min=_CLIP, y_max=1 - _CLIP, out_of_bounds="clip").fit(odds, y, weight)

    def told(of: np.ndarray, sure: np.ndarray | None) -> np.ndarray:
        stated = stairs.predict(line(of, sure))
        return np.asarray(np.log(stated / (1 - stated)))

    return told


def judged(odds: Odds, same: Kind, other: Kind, balanced: bool = True) -> tuple[float, float]:
    """Cllr, and stated less observed between 10 and 90 % in points."""
    z = odds(same.scores, same.sure), odds(other.scores, other.sure)
    shares = [kind.weight / kind.weight.sum() for kind in (same, other)]
    cllr = (shares[0] @ np.logaddexp(0, -z[0]) + shares[1] @ np.logaddexp(0, z[1])) / 2 / np.log(2)
    stated = 1 / (1 + np.exp(-np.concatenate(z)))
    y = np.repeat([1.0, 0.0], [len(z[0]), len(z[1])])
    weight = np.concatenate(shares if balanced else [same.weight, other.weight])
    middle = (stated > 0.1) & (stated < 0.9)
    return float(cllr), float(100 * np.average((stated - y)[middle], weights=weight[middle]))


def alone(kind: Kind) -> Kind:
    """Without the confidence."""
    return Kind(kind.scores, None, kind.weight)


def equal(labels: np.ndarray, within: np.ndarray | None = None) -> np.ndarray:
    """Weights with which each label counts the same (``within``: each of its parts as well)."""
    if within is None:
        _, place, count = np.unique(labels, return_inverse=True, return_counts=True)
        return np.asarray(1 / count[place])
    weight = equal(within)
    for label in set(labels):
        weight[labels == label] /= weight[labels == label].sum()
    return weight


# Name → how genuine pairs weigh, what fits, its settings.
FITS: dict[str, tuple[str, Callable[..., Odds], dict[str, Any]]] = {
    "all pairs weighted equally (calibrate)": ("pairs", fit, {}),
    "isotonic on its odds": ("pairs", isotonic, {}),
    "sources the same": ("sources", fit, {}),
    "people the same": ("people", fit, {}),
    "sources, and people in them, the same": ("both", fit, {}),
    "wrong names, share fitted": ("pairs", fit, {"share": None}),
    "the same, told": ("pairs", fit, {"share": None, "told": True}),
    "wrong names, 2 %": ("pairs", fit, {"share": 0.02}),
    "wrong names, 5 %": ("pairs", fit, {"share": 0.05}),
    "sources and people the same, fitted and told": ("both", fit, {"share": None, "told": True}),
    "without fiw": ("pairs without fiw", fit, {}),
}


def main() -> None:
    """Embed, fit, judge, print Markdown."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model")
    options.add_argument("crops", type=Path, nargs="+")
    options.add_argument("--lfw", type=Path, required=True)
    options.add_argument("--pairs", type=Path, required=True)
    options.add_argument("--score", nargs="+", default=["cosine"])
    options.add_argument("--one-person", type=Path, default=Path(__file__).with_name("one_person.csv"))
    given = options.parse_args()
    samples = open_crops(given.crops, HeldOut(200, {"aaf": 1500, "utk": 1500}))
    embedder = Embedder(load(given.model, "cpu"), precision="float32")
    faces, _ = faces_of_crops(samples, embedder, one_person=read_one_person(given.one_person))
    lfw, pairs = load_embeddings(given.lfw), read_lfw_pairs(given.pairs)
    rows = find_rows(lfw, pairs.names)
    for score in given.score:
        listed = kind_of(score, lfw, rows[pairs.left], rows[pairs.right])
        on_lfw = listed.take(np.flatnonzero(pairs.same)), listed.take(np.flatnonzero(~pairs.same))
        print(f"\n{score}\n")
        _fits(score, faces, on_lfw)
        print()
        _against(score, faces, on_lfw)


def _fits(score: str, faces: KnownFaces, on_lfw: tuple[Kind, Kind]) -> None:
    left, right = genuine_pairs(faces)
    same, person, source = kind_of(score, faces.embeddings, left, right), faces.person[left], faces.source[left]
    half = np.random.default_rng(0).random(len(faces)) < 0.5
    everybody = np.ones(len(faces), bool)
    fitted, judging, all_of_them = (impostors(score, faces, among) for among in (half, ~half, everybody))
    ways = {
        "pairs": np.ones(len(left)),
        "people": equal(person),
        "sources": equal(source),
        "both": equal(source, person),
        "pairs without fiw": (source != "fiw").astype(float),
    }
    names = sorted(set(source))
    print(f"| | {', '.join(names)}, mean | bias there | LFW: Cllr, ECE | bias |\n|---|---|---|---|---|")
    for name, (way, make, more) in FITS.items():
        found = []
        for apart in names:
            known, unknown = np.flatnonzero((source != apart) & (ways[way] > 0)), np.flatnonzero(source == apart)
            odds = make(same.weighing(ways[way]).take(known), fitted, **more)
            found.append(judged(odds, same.weighing(equal(person)).take(unknown), judging))
        every = same.weighing(ways[way]).take(np.flatnonzero(ways[way] > 0))
        odds = make(every, all_of_them, **more)
        cllr = [each for each, _ in found]
        told = ", ".join(f"{each:.3f}" for each in [*cllr, float(np.mean(cllr))])
        biases = ", ".join(f"{bias:+.0f}" for _, bias in found)
        print(f"| {name} | {told} | {biases} | {_on(odds, on_lfw)} |", flush=True)


def _against(score: str, faces: KnownFaces, on_lfw: tuple[Kind, Kind]) -> None:
    same = kind_of(score, faces.embeddings, *genuine_pairs(faces))
    alike = impostors(score, faces, np.ones(len(faces), bool))
    random = at_random(score, faces)
    half = joined([each.weighing(each.weight / each.weight.sum()) for each in (random, alike)])
    print("| fitted with | LFW: Cllr, ECE | bias |\n|---|---|---|")
    for name, other in {"at random": random, "half of each": half, "alike": alike}.items():
        print(f"| {name}, score alone | {_on(fit(alone(same), alone(other)), tuple(map(alone, on_lfw)))} |")
        if same.sure is not None:
            print(f"| {name}, with the confidence | {_on(fit(same, other), on_lfw)} |", flush=True)
    print(f"| alike, score alone, isotonic | {_on(isotonic(alone(same), alone(alike)), tuple(map(alone, on_lfw)))} |")


def _on(odds: Odds, pairs: tuple[Kind, ...]) -> str:
    same, other = pairs
    cllr, bias = judged(odds, same, other, balanced=False)
    stated = 1 / (1 + np.exp(-np.concatenate([odds(kind.scores, kind.sure) for kind in pairs])))
    error = reliability(stated, np.arange(len(stated)) < len(same.scores)).expected_error
    middle = int(((stated > 0.1) & (stated < 0.9)).sum())
    return f"{cllr:.3f}, {100 * error:.1f} % | {bias:+.0f} of {middle:,} pairs"


if __name__ == "__main__":
    main()
