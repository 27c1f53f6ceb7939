"""How many strangers, and how many of its own people, a gallery names at the thresholds that identify uses.

    facepipe embed lfw/ -o sface.parquet -m sface --faces centre --on-miss centre
    python benchmarks/strangers_named.py sface.parquet [--fpir 0.1 0.01] [--trials 10]

The embeddings are of LFW's photos, NAME/NAME_0001.jpg and so on. Ten trials as drawn by 'facepipe eval openset' (seed
0): one photo each of 596 people is the gallery; another one of each and all photos of everybody else are the queries.
For each requested rate, two thresholds are evaluated:

- card: the bound that 'facepipe identify' computes from the model's card for a gallery of that size;
- strangers: the one that 'facepipe identify --strangers' measures on the photos of every second stranger.

Both are evaluated on the photos of the other strangers. Shares are means over the trials.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facepipe.datasets.templates.openset import SearchTrial, draw_openset
from facepipe.embedding import Embeddings, load_embeddings
from facepipe.identification import Gallery, Identifier, decide, decision_at
from facepipe.identification.decision import Decision
from facepipe.identification.strangers import measure
from facepipe.zoo import locate


def decisions(
    embeddings: Embeddings, gallery: Gallery, strangers: Embeddings, fpirs: list[float]
) -> Iterator[tuple[float, str, Decision]]:
    """Asked-for rate, where the threshold comes from, and the threshold."""
    card = locate(embeddings.model.partition("@")[0])[0]
    for fpir in fpirs:
        yield fpir, "card", decide(card, fpir, len(gallery.names), flip=embeddings.flip)
        yield fpir, "strangers", measure(gallery, strangers, fpir)


def one_trial(
    embeddings: Embeddings, person: np.ndarray, trial: SearchTrial, fpirs: list[float]
) -> dict[tuple[float, str], tuple[float, float, float, float, str]]:
    """Threshold, shares of strangers and of known people named rightly and wrongly, and how the threshold was found."""
    gallery = Gallery(embeddings.take(trial.gallery).with_paths([f"{who}/1" for who in person[trial.gallery]]))
    known = np.isin(person[trial.probe], person[trial.gallery])
    outside = trial.probe[~known]
    halves = np.unique(person[outside], return_inverse=True)[1] % 2
    measured, counted = outside[halves == 0], outside[halves == 1]
    found = {
        name: Identifier(gallery, decision_at(-1.0))(embeddings.take(rows))
        for name, rows in (("known", trial.probe[known]), ("strangers", counted))
    }
    truth = person[trial.probe[known]].astype(str)
    nearest = np.array([identity.nearest for identity in found["known"]])
    score = {name: np.array([identity.score for identity in each]) for name, each in found.items()}
    told = {}
    for fpir, origin, decision in decisions(embeddings, gallery, embeddings.take(measured), fpirs):
        named = score["known"] >= decision.threshold
        right, wrong = (named & (nearest == truth)).mean(), (named & (nearest != truth)).mean()
        strangers = (score["strangers"] >= decision.threshold).mean()
        told[fpir, origin] = (decision.threshold, float(strangers), float(right), float(wrong), decision.how)
    return told


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path, nargs="+")
    parser.add_argument("--fpir", type=float, nargs="+", default=[0.1, 0.01])
    parser.add_argument("--trials", type=int, default=10)
    asked = parser.parse_args()
    print("| model, flip | asked for | threshold from | threshold | strangers named | known named rightly | wrongly |")
    print("|---" * 7 + "|")
    for file in asked.embeddings:
        embeddings = load_embeddings(file)
        names = tuple(Path(path).with_suffix("").as_posix() for path in embeddings.paths)
        person = np.unique([Path(name).parent.name for name in names], return_inverse=True)[1]
        lists = draw_openset(names, person, trials=asked.trials)
        trials = [one_trial(embeddings, person, trial, asked.fpir) for trial in lists.trials]
        for (fpir, origin), first in trials[0].items():
            each = np.array([trial[fpir, origin][:4] for trial in trials]).mean(0)
            beyond = " (beyond the card)" if first[4] == "extrapolated" else ""
            shares = " | ".join(f"{100 * share:.2f} %" for share in each[1:])
            model = f"{embeddings.model.partition('@')[0]}, {embeddings.flip}"
            print(f"| {model} | {fpir:g} | {origin} | {each[0]:.3f}{beyond} | {shares} |")


if __name__ == "__main__":
    main()
