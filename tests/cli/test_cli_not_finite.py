"""A detector that gives no numbers ends a command in one line with exit code 2, and the next run as if it had not."""

from types import SimpleNamespace

import numpy as np
import pytest
from cli_run import run, tiny_model

from facepipe.detection import torch_stages, yunet
from facepipe.embedding import load_embeddings
from facepipe.images import write_rgb

pytestmark = pytest.mark.slow
ROWS = np.full((1, 15), np.nan, np.float32)


def spoilt_networks(load):
    """MTCNN's networks, of which the last gives landmarks that are no numbers."""

    def networks(device):
        pnet, rnet, onet = load(device)

        def spoilt(x):
            probability, offsets, points = onet(x)
            return probability, offsets, points * float("nan")

        return pnet, rnet, spoilt

    return networks


@pytest.fixture(params=["mtcnn", "yunet"])
def detector(request):
    """A detector's options, and what breaks it."""
    if request.param == "mtcnn":
        broken = spoilt_networks(torch_stages.load_networks)
        yield (), lambda patch: patch.setattr(torch_stages, "load_networks", broken)
        return
    weights = request.getfixturevalue("yunet_weights")
    silent = SimpleNamespace(setInputSize=lambda _: None, detect=lambda _: (1, ROWS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("facepipe.weights.detector_weights", lambda _: weights)
        yield ("--detector", "yunet"), lambda patch: patch.setattr(yunet, "_load", lambda *_: silent)


@pytest.fixture(scope="module")
def there(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("there")
    for person in range(2):
        for image in range(2):
            write_rgb(root / "photos" / f"p{person}" / f"{image}.png", astronaut[:300, 80 + image : 360 + 9 * person])
    (root / "pairs.csv").write_text("a,b,same,fold\np0/0,p0/1,1,0\np0/0,p1/0,0,0\np1/0,p1/1,1,1\np0/1,p1/1,0,1\n")
    tiny_model(root / "tiny")
    return root


def preprocess(there, out, options):
    ended = run("preprocess", there / "photos", out / "crops", *options)
    return ended, {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.jpg")}


def embed(there, out, options):
    ended = run("embed", there / "photos", "-o", out / "e.parquet", "-m", there / "tiny", "--engine", "torch", *options)
    made = load_embeddings(out / "e.parquet") if (out / "e.parquet").exists() else None
    return ended, {} if made is None else dict(zip(made.paths, made.mu.tolist(), strict=True))


def evaluate(there, out, options):
    words = ["--pairs", there / "pairs.csv", "-m", there / "tiny", "--engine", "torch", "--json", *options]
    ended = run("eval", "pairs", there / "photos", *words)
    return ended, {} if ended.code else ended.json


@pytest.mark.parametrize("command", [preprocess, embed, evaluate])
def test_a_detector_that_gives_no_numbers(there, tmp_path, detector, command):
    options, break_it = detector
    for out in ("one", "other"):
        (tmp_path / out).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        break_it(patch)
        ended, made = command(there, tmp_path / "one", options)
    assert (ended.code, ended.out, made) == (2, "", {}), ended
    (line,) = [line for line in ended.err.splitlines() if line.startswith("facepipe: ")]
    assert "returns non-finite numbers with" in line
    (again, remade), (fresh, right) = (command(there, tmp_path / out, options) for out in ("one", "other"))
    assert again.code == fresh.code == 0, again.err
    assert len(right) >= 4 and remade == right
