"""A threshold measured on strangers, against counting them one by one."""

import numpy as np
import pytest

from facepipe.embedding import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.identification import Gallery, Identifier, measure

RNG = np.random.default_rng(0)
PATHS = tuple(f"p{number % 20:02d}/{number}" for number in range(40))
GALLERY = Gallery(Embeddings(RNG.normal(size=(40, 6)).astype(np.float32), "net@0", paths=PATHS))
STRANGERS = Embeddings(RNG.normal(size=(500, 6)).astype(np.float32), "net@0")


@pytest.mark.parametrize("pooling", ["mean", "confidence"])
@pytest.mark.parametrize("fpir", [0.002, 0.01, 0.3])
def test_as_many_strangers_are_named_as_were_allowed(pooling, fpir):
    decision = measure(GALLERY, STRANGERS, fpir, pooling)
    named = [who.known for who in Identifier(GALLERY, decision, pooling)(STRANGERS)]
    assert sum(named) == round(500 * fpir)
    assert (decision.fpir, decision.far, decision.how) == (fpir, None, "measured")
    assert decision.calibrated_on == "500 faces of strangers"


def test_equal_scores_let_no_more_through():
    twice = STRANGERS.take(np.repeat(np.arange(500), 2))
    decision = measure(GALLERY, twice, 0.003)
    assert sum(who.known for who in Identifier(GALLERY, decision)(twice)) == 2, "of three places two go to a pair"


def test_what_cannot_be_measured():
    with pytest.raises(EmbeddingsError, match=r"500 faces of strangers: too few for FPIR 0.001; embed 1000 or more"):
        measure(GALLERY, STRANGERS, 0.001)
    with pytest.raises(EmbeddingsError, match="must be between 0 and 1"):
        measure(GALLERY, STRANGERS, 1.0)
    with pytest.raises(EmbeddingsError, match="net@1"):
        measure(GALLERY, Embeddings(STRANGERS.mu, "net@1"), 0.01)
