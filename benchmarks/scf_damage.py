"""Does kappa recognise a bad image? SCF heads with several seeds on clean and damaged LFW crops.

    python benchmarks/scf_damage.py CROPS PAIRS RUN [RUN ...] [--limit 300]

CROPS are LFW's aligned crops (``facepipe preprocess LFW CROPS --template 112x96 --on-miss centre --format png``),
PAIRS its ``pairs.txt``, every RUN a folder of ``facepipe train scf-small`` on the same frozen backbone. Prints JSON:

* ``rank_correlation``: by kind of damage, the mean over images of Spearman's correlation of kappa with the level of
  damage, 0 (clean) to 5; −1 if kappa falls with every step of every image;
* ``pairs``: view 2 with one image of each pair damaged: Eq. 13 against cosine;
* ``templates``: people with four images, in two templates of a clean and a damaged image: Eq. 14 against the mean.

Every figure is a mean and standard deviation over the runs. The damage is that of ``facepipe eval risk``.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from facepipe.datasets.damage import DAMAGE_KINDS, LEVELS, Damage, apply, damage_of
from facepipe.datasets.pairs.lfw_pairs import Pairs, read_lfw_pairs
from facepipe.embedding import Embeddings, join
from facepipe.images import read_rgb
from facepipe.protocols.risk.damaged import mix_damaged
from facepipe.protocols.roc import tar_at_far
from facepipe.score import cosine
from facepipe.score.pairs import score_pairs
from facepipe.score.pool import pool
from facepipe.zoo import Model, load

FARS = (1e-2, 1e-3)
_TEMPLATE_FARS = (*FARS, 1e-4, 1e-5)
_PART, _PASS = 128, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, default=300, help="images of the rank correlation")
    options = parser.parse_args()
    pairs = mix_damaged(read_lfw_pairs(options.pairs))
    names = [name for name in pairs.names if "#" not in name]
    ladder = names[:: max(1, len(names) // options.limit)][: options.limit]
    heads = Heads([load(run) for run in options.runs])
    correlations = _correlations(heads, options.crops, ladder)
    everything = _embedded(heads, options.crops, list(pairs.names))
    templates = _embedded(heads, options.crops, _of_templates(names))
    several = [
        {**correlations[run], **_pair_figures(everything[run], pairs), **_template_figures(templates[run])}
        for run in range(len(options.runs))
    ]
    print(json.dumps({"runs": len(several), "images": len(names), **_over_runs(several)}, indent=2))


class Heads:
    """Several heads on one frozen backbone, whose maps are computed once for all; flip concatenation."""

    def __init__(self, models: list[Model]) -> None:
        self.models = models
        network: Any = models[0].network
        self.network = network.to(memory_format=torch.channels_last)
        weights = [model.network.state_dict().values() for model in models]  # type: ignore[attr-defined]
        if any(not torch.equal(a, b) for other in weights[1:] for a, b in zip(weights[0], other, strict=True)):
            raise SystemExit("the runs have different backbones; train their heads on one")

    @torch.inference_mode()
    def __call__(self, crops: np.ndarray) -> list[Embeddings]:
        """uint8 N×h×w×3 → the embeddings of each model, the same but for kappa."""
        views = [self._view(crops), self._view(crops[:, :, ::-1])]
        mu = np.concatenate([view[0] for view in views], 1)
        return [
            Embeddings(mu, "runs", "concat", kappa=(a + b) / 2, trained_dim=mu.shape[1] // 2)
            for a, b in zip(views[0][1], views[1][1], strict=True)
        ]

    def _view(self, crops: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        card = self.models[0].card.input
        x = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float().sub_(card.mean).div_(card.scale)
        mu, kappa = [], []
        for part in x.split(_PASS):
            maps = self.network.maps(part)
            mu.append(self.network.head(maps[-1]))
            kappa.append(torch.cat([model.head(maps).exp() for model in self.models if model.head is not None], 1))
        return torch.cat(mu).numpy(), list(torch.cat(kappa).T.numpy())


def _embedded(heads: Heads, folder: Path, names: list[str]) -> list[Embeddings]:
    """The embeddings of these crops under each head."""
    parts = []
    for first in range(0, len(names), _PART):
        part = names[first : first + _PART]
        made = heads(np.stack([_crop(folder, name) for name in part]))
        parts.append([each.with_paths(part) for each in made])
    return [join(of_head) for of_head in zip(*parts, strict=True)]


def _crop(folder: Path, name: str) -> np.ndarray:
    clean, mark, _ = name.partition("#")
    crop = read_rgb(folder / f"{clean}.png")
    return apply(crop, damage_of(clean)) if mark else crop


def _correlations(heads: Heads, folder: Path, names: list[str]) -> list[dict[str, float]]:
    crops = [_crop(folder, name) for name in names]
    clean = _kappa(heads, crops)
    figures: list[dict[str, float]] = [{} for _ in heads.models]
    for kind in DAMAGE_KINDS:
        kappa = [clean]
        for level in range(1, LEVELS + 1):
            kappa.append(_kappa(heads, [apply(crop, Damage(kind, level, n)) for n, crop in enumerate(crops)]))
        for steps, into in zip(np.stack(kappa, 2), figures, strict=True):
            each = [spearmanr(range(LEVELS + 1), values).statistic for values in steps]
            into[f"rank_correlation/{kind}"] = float(np.mean(each))
            into[f"kappa_left_at_worst/{kind}"] = float(np.median(steps[:, -1] / steps[:, 0]))
    return figures


def _kappa(heads: Heads, crops: list[np.ndarray]) -> np.ndarray:
    """kappa heads×N."""
    return np.stack([np.asarray(made.kappa) for made in heads(np.stack(crops))])


def _pair_figures(embeddings: Embeddings, pairs: Pairs) -> dict[str, float]:
    row = embeddings.row_of()
    rows = np.array([row[name] for name in pairs.names])
    damaged = np.array(["#" in name for name in pairs.names])
    one_side = damaged[pairs.left] | damaged[pairs.right]
    figures = {}
    for what, chosen in (("clean", ~one_side), ("damaged", one_side), ("mixed", one_side | True)):
        for name in ("cosine", "scf"):
            score = score_pairs(name, embeddings, rows[pairs.left[chosen]], rows[pairs.right[chosen]])
            same = pairs.same[chosen]
            for point in tar_at_far(score[same], score[~same], FARS):
                figures[f"pairs/{what}/{name}/TAR at FAR {point.far:g}"] = float(point.tar or np.nan)
    return figures


def _of_templates(names: list[str]) -> list[str]:
    """The first four crops of people who have as many; two of the four are damaged."""
    by_person: dict[str, list[str]] = {}
    for name in sorted(names):
        by_person.setdefault(name.partition("/")[0], []).append(name)
    return [
        f"{name}#" if number // 2 % 2 else name
        for images in by_person.values()
        if len(images) >= 4
        for number, name in enumerate(images[:4])
    ]


def _template_figures(embeddings: Embeddings) -> dict[str, float]:
    people = [path.partition("/")[0] for path in embeddings.paths]
    person = np.unique(people, return_inverse=True)[1]
    # Images alternate between the two templates of a person, and every second pair of images is damaged.
    first = np.flatnonzero(np.r_[True, person[1:] != person[:-1]])
    number = np.arange(len(person)) - np.repeat(first, np.diff(np.r_[first, len(person)]))
    count = int(person.max()) + 1
    template = 2 * person + number % 2
    left, right = np.meshgrid(np.arange(count) * 2, np.arange(count) * 2 + 1, indexing="ij")
    same = (left // 2 == right // 2).ravel()
    figures: dict[str, float] = {"templates/people": float(count)}
    rules: dict[str, Callable[[], Embeddings]] = {
        "mean": lambda: pool(embeddings, template, "mean", count=2 * count),
        "kappa": lambda: pool(embeddings, template, "kappa", count=2 * count),
        "clean images only": lambda: pool(_clean(embeddings), template[_is_clean(embeddings)], "mean", count=2 * count),
    }
    for rule, made in rules.items():
        mu = made().mu
        score = cosine(mu[left.ravel()], mu[right.ravel()])
        for point in tar_at_far(score[same], score[~same], _TEMPLATE_FARS):
            figures[f"templates/{rule}/TAR at FAR {point.far:g}"] = float(point.tar or np.nan)
    return figures


def _is_clean(embeddings: Embeddings) -> np.ndarray:
    return np.array(["#" not in path for path in embeddings.paths])


def _clean(embeddings: Embeddings) -> Embeddings:
    rows = np.flatnonzero(_is_clean(embeddings))
    return replace(embeddings.take(rows), failed=())


def _over_runs(several: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    values = {name: np.array([figures[name] for figures in several]) for name in several[0]}
    return {name: {"mean": float(v.mean()), "std": float(v.std(ddof=len(v) > 1))} for name, v in values.items()}


if __name__ == "__main__":
    main()
