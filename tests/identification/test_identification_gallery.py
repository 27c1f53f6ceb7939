"""Galleries: people, pooling, adding, removing, files."""

import dataclasses

import numpy as np
import pytest

from facepipe.embedding import Embeddings, load_embeddings, save_embeddings
from facepipe.errors import EmbeddingsError
from facepipe.identification import (
    UNKNOWN,
    Gallery,
    Identifier,
    confidence,
    confidence_kind,
    decision_at,
    find_lookalikes,
    load_gallery,
    merge,
    save_gallery,
    without,
)
from facepipe.score import cosine, score_pairs, unit

RNG = np.random.default_rng(0)
PATHS = ("bo/1.jpg", "ada/x.jpg", "bo/2.jpg", "cy/1.jpg", "ada/y.jpg")


def images(paths=PATHS, dim=6, **fields):
    defaults = {"mu": RNG.normal(size=(len(paths), dim)).astype(np.float32), "model": "net@0", "paths": paths}
    return Embeddings(**(defaults | fields))


def test_people_are_folders():
    gallery = Gallery(images())
    assert gallery.names == ("ada", "bo", "cy")
    assert gallery.owners.tolist() == [1, 0, 1, 2, 0]
    assert gallery.counts().tolist() == [2, 2, 1]


def test_pooling_longhand():
    mu = RNG.normal(size=(5, 6)).astype(np.float32)
    gallery = Gallery(images(mu=mu))
    mean = gallery.templates("mean")
    assert mean.paths == ("ada", "bo", "cy")
    assert cosine(mean.mu[:1], (unit(mu)[1] + unit(mu)[4])[None])[0] == pytest.approx(1, abs=1e-6)
    weighted = gallery.templates("confidence")
    assert cosine(weighted.mu[:1], (mu[1] + mu[4])[None])[0] == pytest.approx(1, abs=1e-6)
    kappa = np.array([1, 2, 3, 4, 5], np.float32)
    sure = Gallery(images(mu=mu, kappa=kappa, trained_dim=6)).templates("confidence")
    assert cosine(sure.mu[:1], (2 * unit(mu)[1] + 5 * unit(mu)[4])[None])[0] == pytest.approx(1, abs=1e-6)
    with pytest.raises(EmbeddingsError, match="pooling 'best' is unknown; choose one of mean, confidence"):
        gallery.templates("best")


def test_confidence():
    plain = images()
    assert confidence_kind(plain) == "norm"
    assert confidence(plain) == pytest.approx(np.sqrt((plain.mu.astype(float) ** 2).sum(1)))
    sure = images(kappa=np.arange(5, dtype=np.float32), trained_dim=6)
    assert confidence_kind(sure) == "kappa" and confidence(sure).tolist() == [0, 1, 2, 3, 4]
    spread = images(sigma2=np.tile(np.array([[1, 2, 4]], np.float32), (5, 1)), trained_dim=3)
    assert confidence_kind(spread) == "sigma2" and confidence(spread) == pytest.approx((1 + 0.5 + 0.25) / 3)


@pytest.mark.parametrize(
    ("paths", "told"),
    [(("a.jpg",), "a.jpg: has no person"), ((f"{UNKNOWN}/a.jpg",), "'unknown' is not allowed")],
)
def test_what_is_no_gallery(tmp_path, paths, told):
    with pytest.raises(EmbeddingsError, match=told):
        Gallery(images(paths))
    save_embeddings(tmp_path / "g.parquet", images(paths))
    with pytest.raises(EmbeddingsError, match=f"^{tmp_path / 'g.parquet'}: "):
        load_gallery(tmp_path / "g.parquet")


def test_files(tmp_path):
    gallery = Gallery(images(detection_score=np.ones(5, np.float32), failed=(("x/secret.jpg", "no face"),)))
    path = tmp_path / "g.parquet"
    save_gallery(path, gallery)
    got = load_gallery(path)
    assert got.names == gallery.names and got.images.paths == gallery.images.paths
    assert (got.images.mu == gallery.images.mu).all() and got.images.failed == ()
    assert b"secret" not in path.read_bytes()
    with pytest.raises(EmbeddingsError, match="no such file; create a gallery with 'facepipe gallery build DIR"):
        load_gallery(tmp_path / "other.parquet")
    with pytest.raises(EmbeddingsError, match="a folder of images; create a gallery with 'facepipe gallery build"):
        load_gallery(tmp_path)


def test_removed_people_are_not_in_the_file(tmp_path):
    """Neither the name nor a single number of the embedding."""
    path = tmp_path / "g.parquet"
    gallery = Gallery(images())
    save_gallery(path, without(gallery, "ada"))
    got = load_embeddings(path)
    assert got.paths == ("bo/1.jpg", "bo/2.jpg", "cy/1.jpg")
    assert not np.isin(gallery.images.mu[[1, 4]], got.mu).any()
    assert b"ada" not in path.read_bytes()
    assert without(gallery, "bo/2.jpg").images.paths == ("bo/1.jpg", "ada/x.jpg", "cy/1.jpg", "ada/y.jpg")
    with pytest.raises(EmbeddingsError, match="bob: no such person or image in the gallery"):
        without(gallery, "bob")
    nobody = without(without(without(gallery, "ada"), "bo"), "cy")
    save_gallery(path, nobody)
    with pytest.raises(EmbeddingsError, match="this gallery is empty"):
        Identifier(load_gallery(path), decision_at(0.5))


def test_merge():
    first, second = Gallery(images()), Gallery(images(("ada/x.jpg", "di/1.jpg")))
    told = []
    both = merge([first, second], told.append)
    of_both = {"ada/x.jpg", "ada/x_2.jpg", "ada/y.jpg", "bo/1.jpg", "bo/2.jpg", "cy/1.jpg", "di/1.jpg"}
    assert set(both.images.paths) == of_both and list(both.owners) == sorted(both.owners)
    row = both.images.row_of()
    assert (both.images.mu[row["ada/x_2.jpg"]] == second.images.mu[0]).all()
    assert (both.images.mu[row["ada/x.jpg"]] == first.images.mu[first.images.row_of()["ada/x.jpg"]]).all()
    assert [(remark.kind, remark.path) for remark in told] == [("renamed", "ada/x_2.jpg")]
    with pytest.raises(EmbeddingsError, match="cannot be compared"):
        merge([first, Gallery(images(model="other@1"))])


def test_merging_the_same_pictures_keeps_them_once():
    first, told = Gallery(images()), []
    again = merge([first, first], told.append)
    assert again.images.paths == merge([first]).images.paths
    assert {remark.kind for remark in told} == {"replaced"} and len(told) == len(first.images)


def test_identifier_longhand():
    gallery, probes = Gallery(images()), images(("a", "b", "c", "d"))
    scores = unit(probes.mu) @ unit(gallery.templates("mean").mu).T
    threshold = float(np.median(scores.max(1)))
    for identity, line in zip(Identifier(gallery, decision_at(threshold), "mean")(probes), scores, strict=True):
        order = np.argsort(-line)
        assert identity.nearest == gallery.names[order[0]] and identity.runner_up == gallery.names[order[1]]
        assert [identity.score, identity.runner_up_score] == pytest.approx(line[order[:2]].tolist())
        assert identity.known == (line[order[0]] >= threshold)
        assert identity.name == (identity.nearest if identity.known else UNKNOWN)
    with pytest.raises(EmbeddingsError, match="cannot be compared"):
        Identifier(gallery, decision_at(0))(images(("a",), model="other@1"))


def test_a_score_at_the_threshold_is_a_name():
    gallery, probe = Gallery(images()), images(("a",))
    score = Identifier(gallery, decision_at(0))(probe)[0].score
    assert Identifier(gallery, decision_at(score))(probe)[0].known
    assert not Identifier(gallery, decision_at(np.nextafter(score, 2)))(probe)[0].known


def test_gallery_of_one():
    identity = Identifier(Gallery(images(("ada/1.jpg",))), decision_at(2))(images(("a",)))[0]
    assert (identity.name, identity.nearest, identity.runner_up, identity.runner_up_score) == (
        UNKNOWN,
        "ada",
        None,
        None,
    )


def test_scf():
    gallery = Gallery(images(kappa=np.full(5, 300, np.float32), trained_dim=6))
    probes = images(("a", "b"), kappa=np.array([100, 900], np.float32), trained_dim=6)
    templates = gallery.templates()
    assert templates.kappa is not None
    for row, identity in enumerate(Identifier(gallery, decision_at(-1e9), score="scf")(probes)):
        both = dataclasses.replace(
            templates,
            mu=np.concatenate([templates.mu, probes.mu[row : row + 1]]),
            kappa=np.concatenate([templates.kappa, probes.kappa[row : row + 1]]),
            paths=(),
            detected=np.ones(4, bool),
        )
        expected = score_pairs("scf", both, np.array([3, 3, 3]), np.arange(3))
        assert identity.score == pytest.approx(expected.max()) and identity.nearest == gallery.names[expected.argmax()]
    with pytest.raises(EmbeddingsError, match="have no kappa"):
        Identifier(Gallery(images()), decision_at(0), score="scf")(images(("a",)))


def test_duplicates_and_look_alikes():
    mu = np.eye(6, dtype=np.float32)[[0, 1, 0, 2, 3]]
    mu[2, 5] = 0.05  # bo/2 is bo/1 again, a little changed
    mu[4] = mu[3] + 0.5 * mu[4]  # ada/y is nearest to cy/1
    remarks = find_lookalikes(Gallery(images(mu=mu)), 0.8)
    assert [(remark.kind, remark.path) for remark in remarks] == [
        ("duplicate", "bo/2.jpg"),
        ("resembles", "cy/1.jpg"),
        ("resembles", "ada/y.jpg"),
    ]
    assert remarks[0].text == "the same picture as bo/1.jpg"
    assert remarks[2].text == "most like cy/1.jpg, of another person (0.89)"
    assert [remark.path for remark in find_lookalikes(Gallery(images(mu=mu)), 0.8, np.array([4]))] == ["ada/y.jpg"]
    assert [remark.path for remark in find_lookalikes(Gallery(images(mu=mu)), 0.95)] == ["bo/2.jpg"]
