"""Verification while training: the code and the figures of ``facepipe eval lfw``."""

import numpy as np
import pytest
import torch
from train_tiny import crop, encoded, write_recipe

from facepipe import backbones
from facepipe.datasets.pairs.lfw_pairs import read_lfw_pairs
from facepipe.embedding import Embedder, Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols import evaluate_lfw
from facepipe.train import load_recipe
from facepipe.train.evaluation.calibrate import calibrate, pair_scores
from facepipe.train.evaluation.pairs import PairsEvaluation
from facepipe.train.run.card import write_model
from facepipe.zoo import CardSource, load

SIZE = (112, 96)


@pytest.fixture
def lfw(tmp_path):
    """Aligned crops of four people, three each, and pairs in two folds."""
    for person in range(4):
        folder = tmp_path / "lfw" / f"P{person}"
        folder.mkdir(parents=True)
        for image in range(1, 4):
            (folder / f"P{person}_{image:04d}.png").write_bytes(encoded(crop(person, image, SIZE)))
    lines = ["2\t2"]
    for fold in range(2):
        lines += [f"P{2 * fold}\t1\t2", f"P{2 * fold + 1}\t2\t3", f"P{fold}\t1\tP{fold + 2}\t3", "P0\t3\tP1\t1"]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def recipe(folder, *more):
    settings = [
        "model.input_size=[112, 96]",
        "model.template=112x96",
        "model.flip=concat",
        f"evaluate.images='{folder / 'lfw'}'",
        f"evaluate.pairs='{folder / 'pairs.txt'}'",
        "evaluate.aligned=true",
        *more,
    ]
    return load_recipe(str(write_recipe(folder / "tiny.toml")), settings)


def network():
    torch.manual_seed(0)
    return backbones.create("sphereface4", input_size=SIZE, embedding_dim=8, width=0.125).eval()


def test_the_figure_is_that_of_the_saved_model(lfw):
    settings = recipe(lfw)
    net = network()
    figures = PairsEvaluation(settings, torch.device("cpu"))(net)
    write_model(lfw / "run", net, settings, [], CardSource())
    pairs = read_lfw_pairs(lfw / "pairs.txt")
    crops = np.stack([crop(int(name[1]), int(name[-4:]), SIZE) for name in pairs.names])
    embedded = Embedder(load(lfw / "run"), precision="float32")(crops)
    names = tuple(f"x/{name}.jpg" for name in pairs.names)
    result = evaluate_lfw(Embeddings(embedded.mu, embedded.model, embedded.flip, names), pairs)
    assert figures == {"lfw": result.accuracy, "lfw_error": result.std_error}


def test_the_network_is_left_as_it_was(lfw):
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    evaluate = PairsEvaluation(recipe(lfw), torch.device("cpu"))
    assert evaluate(net) == evaluate(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(p.requires_grad for name, p in net.named_parameters() if name.startswith("fc5"))


def test_a_missing_image_is_named(lfw):
    (lfw / "lfw" / "P3" / "P3_0003.png").unlink()
    with pytest.raises(DatasetError, match=r"P3_0003\.\*: no such image .*; evaluate\.images"):
        PairsEvaluation(recipe(lfw), torch.device("cpu"))


def test_pair_scores_and_thresholds_longhand():
    rng = np.random.default_rng(0)
    embeddings, labels = rng.normal(size=(30, 5)), rng.integers(0, 6, 30)
    genuine, impostor = pair_scores(embeddings, labels)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    pairs = [(float(unit[i] @ unit[j]), labels[i] == labels[j]) for i in range(30) for j in range(i + 1, 30)]
    assert sorted(genuine) == pytest.approx(sorted(s for s, same in pairs if same), abs=1e-6)
    assert sorted(impostor) == pytest.approx(sorted(s for s, same in pairs if not same), abs=1e-6)
    (tenth,), notes = calibrate(embeddings, labels, [0.1, 1e-4])
    assert tenth.far == 0.1
    assert (impostor >= tenth.value).mean() <= 0.1
    assert (impostor >= np.sort(impostor)[np.searchsorted(np.sort(impostor), tenth.value) - 1]).mean() > 0.1
    assert tenth.tar == (genuine >= tenth.value).mean()
    assert len(notes) == 1 and "0.0001" in notes[0]
