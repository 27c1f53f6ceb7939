"""Several models as one."""

import numpy as np
import pytest

from facepipe.detection import Faces
from facepipe.embedding import Embeddings
from facepipe.ensemble import SameFaces, concatenate
from facepipe.errors import EmbeddingsError
from facepipe.score import cosine
from facepipe.score.pairs import score_pairs


def part(seed, dim, name, **changes):
    mu = np.random.default_rng(seed).normal(size=(6, dim)).astype(np.float32) * 10**seed
    fields = {"flip": "none", "paths": tuple(f"{k}.jpg" for k in range(6))}
    return Embeddings(mu, name, **(fields | changes))


def test_its_cosine_is_the_mean_of_the_cosines():
    parts = [part(0, 4, "a@1"), part(1, 7, "b@2"), part(2, 3, "c@3")]
    together = concatenate(parts)
    left, right = np.triu_indices(6, 1)
    expected = np.mean([cosine(p.mu[left], p.mu[right]) for p in parts], axis=0)
    np.testing.assert_allclose(score_pairs("cosine", together, left, right), expected, atol=1e-6)
    assert (together.model, together.flip, together.dim) == ("a@1+b@2+c@3", "none", 14)
    assert together.paths == parts[0].paths


def test_fields_of_the_parts():
    detected = np.array([True, False, True, True, True, False])
    a = part(0, 4, "a@1", flip="concat", kappa=np.ones(6, np.float32), trained_dim=2)
    together = concatenate([a, part(1, 3, "b@2", detected=detected)])
    assert together.flip == "concat+none"
    assert together.kappa is None and together.trained_dim == 0
    assert together.detected.tolist() == detected.tolist()
    with pytest.raises(EmbeddingsError, match="kappa"):
        score_pairs("scf", together, np.array([0]), np.array([1]))


def test_one_part_is_left_alone():
    a = part(0, 4, "a@1")
    assert concatenate([a]) is a


def test_parts_of_other_images():
    with pytest.raises(EmbeddingsError, match="a@1 and b@2 are of different images"):
        concatenate([part(0, 4, "a@1"), part(1, 4, "b@2", paths=tuple("abcdef"))])
    with pytest.raises(EmbeddingsError, match="no embeddings"):
        concatenate([])


def test_faces_are_looked_for_once():
    calls = []

    def detector(images):
        calls.append(len(images))
        return [Faces.none() for _ in images]

    same = SameFaces(detector)
    images = [np.zeros((4, 4, 3), np.uint8) for _ in range(3)]
    first = same(images)
    assert same(list(images)) is first and calls == [3]
    same(images[:2])
    same([images[0], images[1].copy()])
    assert calls == [3, 2, 2]
    assert same([]) == [] and calls == [3, 2, 2, 0]
