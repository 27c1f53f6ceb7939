"""Decision thresholds of a model at stated false-accept rates, ready to be pasted into its card.

    python benchmarks/calibrate_thresholds.py MODEL SHARDS [--far 1e-2 1e-3 1e-4]

SHARDS is a folder of WebDataset tar shards of aligned 112×112 crops with identities. One crop per identity
is drawn (seeded), and every two of them make an impostor pair.
"""

import argparse

import numpy as np

from facepipe.alignment import Aligner
from facepipe.datasets import open_samples
from facepipe.embedding import Embedder
from facepipe.images import read_rgb
from facepipe.score import threshold_at_far, unit
from facepipe.zoo import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("shards")
    parser.add_argument("--far", type=float, nargs="+", default=[1e-2, 1e-3, 1e-4])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    samples = open_samples([arguments.shards])
    order = np.random.default_rng(arguments.seed).permutation(len(samples))
    _, first = np.unique(samples.labels[order], return_index=True)
    drawn = order[first]
    embedder = Embedder(load(arguments.model))
    aligner = Aligner(embedder.model.card.input.template)
    mu = [
        embedder(np.stack([aligner.accept(read_rgb(samples.read(int(i)))) for i in drawn[k : k + 64]])).mu
        for k in range(0, len(drawn), 64)
    ]
    directions = unit(np.concatenate(mu))
    impostor = (directions @ directions.T)[np.triu_indices(len(directions), 1)]
    for far in arguments.far:
        value = threshold_at_far(impostor, far)
        print(f"\n[[thresholds]]\nfar = {far:g}\nvalue = {value:.4f}")
        print(f'calibrated_on = "{len(impostor):,} impostor pairs of {len(drawn):,} web identities, not LFW"')


if __name__ == "__main__":
    main()
