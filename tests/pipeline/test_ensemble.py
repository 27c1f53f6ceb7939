"""Several models as one."""

import numpy as np
import pytest

from facepipe.detection import Faces
from facepipe.embedding import Embeddings
from facepipe.embedding.halves import fold_halves
from facepipe.ensemble import SameFaces, concatenate
from facepipe.errors import EmbeddingsError
from facepipe.protocols.ijb.template_pooling import TemplateRecipe, pool_templates
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


MEMBERS = (("a@1", 8, "concat"), ("b@2", 6, "concat"), ("c@3", 5, "none"), ("d@4", 3, "sum"))


def longhand_member(mu, flip, halves):
    """A member's rows, folded and of length 1."""
    half = mu.shape[1] // 2
    rows = mu.astype(float)
    if flip == "concat" and halves == "sum":
        rows = np.array([[row[k] + row[half + k] for k in range(half)] for row in rows])
    elif flip == "concat" and halves == "first":
        rows = rows[:, :half]
    return rows / np.sqrt((rows * rows).sum(1))[:, None]


@pytest.mark.parametrize("halves", ["sum", "first", "keep"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_members_are_folded_before_they_are_joined(halves, count):
    """Members of several lengths and flip rules, against longhand; templates then take the halves for done."""
    members = MEMBERS[:count]
    parts = [part(seed, dim, name, flip=flip) for seed, (name, dim, flip) in enumerate(members)]
    together = concatenate(parts, halves)
    expected = np.concatenate(
        [longhand_member(p.mu, flip, halves) for p, (_, _, flip) in zip(parts, members, strict=True)], axis=1
    )
    np.testing.assert_allclose(together.mu, expected, atol=1e-6)
    after = {"sum": "sum", "first": "none", "keep": "concat"}[halves]
    rules = [after if flip == "concat" else flip for _, _, flip in members]
    assert together.flip != "concat"
    assert together.flip == (rules[0] if len(set(rules)) == 1 and after != "concat" else "+".join(rules))
    if halves == "keep":
        for word in ("sum", "first"):
            with pytest.raises(EmbeddingsError, match=r"of several models .* embed again with flip='sum'"):
                fold_halves(together, word)
    else:
        assert fold_halves(together, halves) is together
    template, media = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 0, 0, 1])
    recipe = TemplateRecipe(halves=halves, detector_score=False)
    pooled = pool_templates(together, template, 3, media, None, recipe)
    for number in range(3):
        rows = [row for row in range(6) if template[row] == number]
        means = [expected[[row for row in rows if media[row] == m]].mean(0) for m in sorted({*media[rows].tolist()})]
        np.testing.assert_allclose(pooled.mu[number], sum(means), atol=1e-6)
    assert pooled.flip == together.flip


def test_an_ensemble_of_before_whose_mark_is_untrue():
    """Marked concat as a whole, though its second half is another model's."""
    old = part(0, 8, "a@1+b@2", flip="concat")
    with pytest.raises(EmbeddingsError, match=r"embeddings of a@1\+b@2 contain image and mirror image of several"):
        pool_templates(old, np.zeros(6, int), 1, np.zeros(6, int), None, TemplateRecipe(detector_score=False))
    with pytest.raises(EmbeddingsError, match="halves 'both' is unknown"):
        fold_halves(old, "both")


def test_one_model_is_folded_by_its_templates():
    one = part(0, 8, "a@1", flip="concat")
    recipe = TemplateRecipe(detector_score=False)
    pooled = pool_templates(one, np.arange(6), 6, np.zeros(6, int), None, recipe)
    np.testing.assert_allclose(pooled.mu, one.mu[:, :4] + one.mu[:, 4:], rtol=1e-6)
    assert pooled.flip == "sum" and one.flip == "concat"


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
