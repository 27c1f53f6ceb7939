"""Searching a gallery against longhand, with many ties; and what is said where there is no figure."""

from dataclasses import replace

import numpy as np
import pytest
import search_longhand as longhand
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError, FacepipeError
from facepipe.protocols.identification.search import cmc, search, search_figures, tpir_at_fpir
from facepipe.protocols.score_blocks import score_blocks
from facepipe.score import cosine


@st.composite
def cases(draw):
    """Scores of four values, galleries with several entries of a subject, probes with and without a mate."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    gallery = rng.integers(0, draw(st.integers(1, 6)), draw(st.integers(1, 8)))
    probes = rng.integers(0, 8, draw(st.integers(1, 12)))
    scores = rng.integers(0, draw(st.integers(1, 5)), (len(probes), len(gallery))).astype(np.float64)
    return scores, gallery, probes, draw(st.integers(1, 5))


@settings(deadline=None, max_examples=200)
@given(cases(), st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.9]), st.integers(0, 3))
def test_ranks_and_rates_are_those_of_longhand(case, fpir, rank):
    scores, gallery, probes, step = case
    blocks = (scores[first : first + step].copy() for first in range(0, len(scores), step))
    found = search(blocks, gallery, probes)
    expected = longhand.searched(scores, gallery, probes)
    got = zip(found.mated.tolist(), found.mate.tolist(), found.other.tolist(), found.rank.tolist(), strict=True)
    assert list(got) == expected
    (point,) = tpir_at_fpir(found, [fpir], rank)
    wanted = longhand.tpir(expected, fpir, rank)
    assert point.tpir == (None if wanted is None else pytest.approx(wanted))
    assert bool(point.reason) == (wanted is None)
    if wanted is not None:
        assert point.low <= point.tpir <= point.high
        reached = (found.other[~found.mated] >= point.threshold).mean()
        assert reached <= fpir + 1e-9
    places = [place for mated, *_, place in expected if mated]
    for k, share in cmc(found, (1, 2, 3)).items():
        assert share == (pytest.approx(np.mean([place <= int(k) for place in places])) if places else None)


def test_rank_is_asked_for():
    """The bug of the published script: a mate that is above the threshold but not on top must not count."""
    scores = np.array([[0.9, 0.8], [0.8, 0.9], [0.1, 0.2]])
    found = search([scores.copy()], np.array([1, 2]), np.array([2, 2, 7]))
    assert found.rank.tolist() == [2, 1, 0]
    assert tpir_at_fpir(found, [0.999], rank=1)[0].reason  # one probe without a mate resolves no rate below 1
    many = np.concatenate([scores[:2], np.full((10, 2), 0.2)])
    found = search([many], np.array([1, 2]), np.r_[2, 2, np.full(10, 7)])
    assert tpir_at_fpir(found, [0.1], rank=1)[0].tpir == 0.5
    assert tpir_at_fpir(found, [0.1], rank=2)[0].tpir == tpir_at_fpir(found, [0.1], rank=0)[0].tpir == 1.0


def test_constant_scores_recognise_nobody():
    found = search([np.ones((20, 3))], np.arange(3), np.r_[np.arange(3).repeat(3), np.full(11, 9)])
    assert cmc(found) == {"1": 0.0, "5": 1.0, "10": 1.0}
    (point,) = tpir_at_fpir(found, [0.1])
    assert (point.tpir, point.threshold, point.reason) == (None, None, "all scores are equal")


def test_rates_without_a_figure():
    found = search([np.eye(4)], np.arange(4), np.array([0, 1, 2, 9]))
    assert tpir_at_fpir(found, [0.5])[0].reason == "1 probe without a mate, fewer than 1/FPIR"
    nobody = search([np.eye(4)], np.arange(4), np.array([9, 9, 9, 9]))
    assert tpir_at_fpir(nobody, [0.5])[0].reason == "no probe has a mate in the gallery"
    assert cmc(nobody) == {"1": None, "5": None, "10": None}
    figures = search_figures(nobody)
    assert (figures.mated, figures.non_mated, figures.tpir[0].tpir) == (0, 4, None)
    with pytest.raises(FacepipeError, match="must be between 0 and 1, not 1"):
        tpir_at_fpir(found, [1.0])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_damaged_or_missing_scores(wrong):
    with pytest.raises(FacepipeError, match="gallery is empty"):
        search([np.zeros((1, 0))], np.zeros(0, int), np.array([1]))
    with pytest.raises(FacepipeError, match="scores of 1 probe, but 2"):
        search([np.zeros((1, 1))], np.array([1]), np.array([1, 2]))
    for place in (0, 1):
        scores = np.zeros((1, 2))
        scores[0, place] = wrong
        with pytest.raises(EmbeddingsError, match="scores contain NaN"):
            search([scores], np.array([1, 2]), np.array([1]))


def embeddings(count, seed=0):
    rng = np.random.default_rng(seed)
    return Embeddings(
        rng.normal(size=(count, 6)).astype(np.float32),
        "m@1",
        kappa=rng.uniform(50, 500, count).astype(np.float32),
        sigma2=rng.uniform(0.1, 1, (count, 1)).astype(np.float32),
        trained_dim=6,
    )


@pytest.mark.parametrize("name", ["cosine", "scf", "mls"])
def test_blocks_hold_the_scores_of_pairs(name, monkeypatch):
    from facepipe.score.pairs import score_pairs

    monkeypatch.setattr("facepipe.protocols.score_blocks._SCORES", 12)
    made, probes, gallery = embeddings(12), np.array([3, 1, 4, 1, 5, 9]), np.array([2, 6, 5, 3, 5])
    blocks = list(score_blocks(name, made, probes, gallery))
    assert [len(block) for block in blocks] == [2, 2, 2]
    expected = [[score_pairs(name, made, np.array([p]), np.array([g]))[0] for g in gallery] for p in probes]
    np.testing.assert_allclose(np.concatenate(blocks), expected, rtol=1e-12, atol=6e-10)


@pytest.mark.parametrize("name", ["cosine", "scf", "mls"])
def test_copies_in_the_gallery_tie(name):
    """The photo of a probe's mate is in the gallery under two names: nobody is on top by the rounding of a product."""
    made = embeddings(37)
    for seed in range(10):
        mu = np.random.default_rng(seed).normal(size=(37, 128)).astype(np.float32)
        # 20 people, 17 of them under a second name, and 17 probes that are near to one of these.
        rows = np.r_[np.arange(20), np.arange(17), np.arange(17)]
        twice = replace(made.take(rows), mu=mu[rows])
        twice.mu[37:] += 0.3 * mu[20:]
        found = search(score_blocks(name, twice, np.arange(37, 54), np.arange(37)), np.arange(37), np.arange(17))
        assert (found.rank > 1).all() and (found.mate <= found.other).all()


def test_blocks_of_a_gallery_larger_than_a_block(monkeypatch):
    monkeypatch.setattr("facepipe.protocols.score_blocks._SCORES", 2)
    made = embeddings(9)
    (block,) = score_blocks("cosine", made, np.array([4]), np.arange(9))
    np.testing.assert_allclose(block[0], cosine(made.mu[np.full(9, 4)], made.mu), atol=6e-10)
