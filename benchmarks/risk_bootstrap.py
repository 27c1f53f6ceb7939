"""Do two confidences differ significantly? A bootstrap of AUERC over pairs.

    python benchmarks/risk_bootstrap.py PAIRS kappa=kappa.parquet sigma2=sigma2.parquet norm=sigma2.parquet

PAIRS is LFW's ``pairs.txt``; each further argument is a confidence and the file that ``facepipe eval risk ... --damage
standard --save FILE`` wrote for its head, all on one backbone. Pairs are resampled, the same for all, and each resample
gets its own threshold for FMR 1e-3. Prints JSON: the AUERC of each and, for each two, the mean difference, the
middle 95 %, and the fraction of resamples in which the first is worse. Pairs are treated as independent.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs, read_lfw_pairs
from facepipe.embedding import load_embeddings
from facepipe.protocols.risk.damaged import mix_damaged
from facepipe.protocols.risk.error_reject import error_reject
from facepipe.protocols.risk.uncertainty import pair_uncertainty, uncertainty
from facepipe.protocols.rows import find_rows
from facepipe.score.pairs import score_pairs

FMR = 1e-3


def main() -> None:
    """Read, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("confidences", nargs="+", metavar="CONFIDENCE=FILE")
    parser.add_argument("--resamples", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    pairs = mix_damaged(read_lfw_pairs(args.pairs))
    names = [f"{name} of {Path(file).stem}" for name, _, file in (word.partition("=") for word in args.confidences)]
    judged = [_judged(pairs, *word.split("=", 1)) for word in args.confidences]
    scores = judged[0][0]
    if any(not np.allclose(other, scores, atol=1e-5) for other, _ in judged):
        parser.error("the files are not of one backbone: their scores differ")
    doubts = [doubt for _, doubt in judged]
    whole = np.arange(len(scores))
    rng = np.random.default_rng(args.seed)
    drawn = np.array(
        [_areas(scores, pairs.same, doubts, rng.integers(0, len(whole), len(whole))) for _ in range(args.resamples)]
    )
    areas = _areas(scores, pairs.same, doubts, whole)
    print(json.dumps({"auerc": dict(zip(names, areas, strict=True)), "differences": _compared(names, drawn)}, indent=1))


def _judged(pairs: Pairs, confidence: str, file: str) -> tuple[np.ndarray, np.ndarray]:
    embeddings = load_embeddings(Path(file))
    rows = embeddings.take(find_rows(embeddings, pairs.names))
    scores = score_pairs("cosine", rows, pairs.left, pairs.right)
    return scores, pair_uncertainty(uncertainty(confidence, rows, 0), pairs.left, pairs.right, "max")


def _areas(scores: np.ndarray, same: np.ndarray, doubts: list[np.ndarray], taken: np.ndarray) -> list[float]:
    return [error_reject(scores[taken], same[taken], doubt[taken], FMR).area for doubt in doubts]


def _compared(names: list[str], drawn: np.ndarray) -> dict[str, dict[str, float]]:
    told = {}
    for first, second in combinations(range(len(names)), 2):
        difference = drawn[:, first] - drawn[:, second]
        low, high = np.percentile(difference, [2.5, 97.5])
        told[f"{names[first]} - {names[second]}"] = {
            "mean": float(difference.mean()),
            "low": float(low),
            "high": float(high),
            "first_worse": float((difference > 0).mean()),
        }
    return told


if __name__ == "__main__":
    main()
