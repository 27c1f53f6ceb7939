"""IJB-B/C, 1:1 and 1:N, against the published scripts written out."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import search_longhand as longhand
from ijb_synthetic import write_ijb

from facepipe.datasets.templates.ijb import find_ijb, read_enrolment, read_faces, read_template_pairs
from facepipe.datasets.templates.template_rows import TemplateRows
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.protocols.ijb.identification import Enrolled, evaluate_closed, evaluate_open
from facepipe.protocols.ijb.template_pooling import TemplateRecipe, template_poolings
from facepipe.protocols.ijb.verification import evaluate_ijb_verification, ijb_templates
from facepipe.protocols.roc import tar_at_far

FARS = (0.3, 0.1, 0.03, 0.01, 1e-5)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_ijb(tmp_path_factory.mktemp("ijb"), "C", people=14, noise=1.2)


@pytest.fixture(scope="module")
def faces(made):
    return read_faces(find_ijb(made.root, "C"))


def embeddings_of(made, flip="none", **fields):
    mu = made.features
    if flip == "concat":
        other = np.random.default_rng(9).normal(size=mu.shape).astype(np.float32)
        mu = np.concatenate([mu, other], axis=1)
    return Embeddings(mu, "m@1", flip, paths=tuple(f"/ijb/{name}" for name in made.names), **fields)


def uncertain(made):
    rng = np.random.default_rng(5)
    count, dim = made.features.shape
    return embeddings_of(
        made,
        kappa=rng.uniform(50, 900, count).astype(np.float32),
        sigma2=rng.uniform(0.1, 2, (count, dim)).astype(np.float32),
        trained_dim=dim,
    )


SWITCHES = list(itertools.product([1, 0], [1, 0], ["sum", "first", "keep"]))


@pytest.mark.parametrize(("norm", "detector", "halves"), SWITCHES)
def test_templates_are_those_of_the_published_script(made, faces, norm, detector, halves, monkeypatch):
    monkeypatch.setattr("facepipe.protocols.ijb.template_pooling._TEMPLATES", 5)
    embeddings = embeddings_of(made, "concat")
    recipe = TemplateRecipe(halves=halves, feature_norm=bool(norm), detector_score=bool(detector))
    numbers, templates = ijb_templates(embeddings, faces, recipe)
    dim = made.features.shape[1]
    image, mirror = embeddings.mu[:, :dim], embeddings.mu[:, dim:]
    fused = {"sum": image + mirror, "first": image, "keep": embeddings.mu}[halves]
    scores = made.detector if detector else None
    expected = longhand.published_templates(fused, made.template, made.media, bool(norm), scores)
    got = templates.mu / np.linalg.norm(templates.mu, axis=1, keepdims=True)
    np.testing.assert_allclose(got, expected, atol=2e-6)
    assert numbers.tolist() == sorted(set(made.template.tolist()))


def test_pooling_rules(made, faces):
    from facepipe.score.pool import pool
    from facepipe.score.poolings import weighing

    embeddings = uncertain(made)
    template = np.unique(made.template, return_inverse=True)[1]
    for rule in set(template_poolings()) - {"media", "mean"}:
        _, got = ijb_templates(embeddings, faces, TemplateRecipe(pool=rule))
        expected = pool(embeddings, template, rule, made.media)
        if rule in weighing():
            np.testing.assert_array_equal(expected.mu, pool(embeddings, template, rule).mu)
            equal = TemplateRecipe(pool=rule, media_weights="equal", temperature=2)
            _, old = ijb_templates(embeddings, faces, equal)
            np.testing.assert_array_equal(old.mu, pool(embeddings, template, rule, made.media, None, "equal", 2).mu)
        np.testing.assert_array_equal(got.mu, expected.mu)
        np.testing.assert_array_equal(got.kappa, expected.kappa)
        np.testing.assert_array_equal(got.sigma2, expected.sigma2)
    _, plain = ijb_templates(embeddings, faces, TemplateRecipe("mean", feature_norm=False, detector_score=False))
    np.testing.assert_allclose(plain.mu, pool(embeddings, template, "mean").mu, atol=1e-6)
    _, by_media = ijb_templates(embeddings, faces, TemplateRecipe("mean", media=True))
    np.testing.assert_array_equal(by_media.mu, ijb_templates(embeddings, faces, TemplateRecipe())[1].mu)


def probface_templates(mu, sigma2, template, temperature):
    """ProbFace's aggregation, longhand: no media, weights (1/σ² + 10⁻⁶)^(1/T), σ² the weighted mean."""
    fused, variance = [], []
    for number in sorted(set(template.tolist())):
        rows = [row for row in range(len(mu)) if template[row] == number]
        weight = [(1 / float(sigma2[row, 0]) + 1e-6) ** (1 / temperature) for row in rows]
        unit = [mu[row].astype(float) / np.linalg.norm(mu[row].astype(float)) for row in rows]
        total = sum(w * u for w, u in zip(weight, unit, strict=True)) / sum(weight)
        fused.append(total / np.linalg.norm(total))
        variance.append(sum(w * float(sigma2[row, 0]) for w, row in zip(weight, rows, strict=True)) / sum(weight))
    return np.array(fused), np.array(variance)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("one_still", [True, False])
def test_probface_modes(made, faces, temperature, one_still):
    """Uncertainty-pooled templates scored by −L2², by attention alone and by MLS, with one and several per medium."""
    sigma2 = np.random.default_rng(3).uniform(0.1, 2, (len(made.names), 1)).astype(np.float32)
    if one_still:
        faces = replace(faces, media=np.arange(len(faces)))
    recipe = TemplateRecipe("sigma2-mean", temperature=temperature)
    numbers, got = ijb_templates(embeddings_of(made, sigma2=sigma2, trained_dim=8), faces, recipe)
    mu, variance = probface_templates(made.features, sigma2, made.template, temperature)
    np.testing.assert_allclose(got.mu / np.linalg.norm(got.mu, axis=1, keepdims=True), mu, atol=1e-5)
    np.testing.assert_allclose(got.sigma2[:, 0], variance, rtol=1e-5)
    pairs = read_template_pairs(find_ijb(made.root, "C").pairs, numbers)
    distance = ((mu[pairs.left] - mu[pairs.right]) ** 2).sum(1)
    total = variance[pairs.left] + variance[pairs.right]
    longhand_scores = {
        "cosine": -distance, "mls-attention": -distance / total, "mls": -distance / total - np.log(total)
    }
    for score, expected in longhand_scores.items():
        result = evaluate_ijb_verification(got, pairs, score, fars=FARS[:3], settings=recipe.settings())
        wanted = tar_at_far(expected[pairs.same], expected[~pairs.same], FARS[:3])
        assert [point["tar"] for point in result.to_dict()["tar"]] == pytest.approx([point.tar for point in wanted])
        assert result.settings["temperature"] == temperature and result.settings["media_weights"] == "together"


def test_recipes_that_make_no_sense():
    assert TemplateRecipe("kappa").settings()["feature_norm"] is None
    assert TemplateRecipe("kappa", media=False).settings()["media_weights"] is None
    assert TemplateRecipe().settings()["temperature"] is None
    with pytest.raises(DatasetError, match="pooling by max has no confidence weights"):
        TemplateRecipe("max", temperature=2)
    with pytest.raises(DatasetError, match="pooling by media has no confidence weights"):
        TemplateRecipe(media_weights="equal")
    with pytest.raises(DatasetError, match="media weights 'old' are unknown"):
        TemplateRecipe("kappa", media_weights="old")
    with pytest.raises(DatasetError, match="above 0, not -1"):
        TemplateRecipe("kappa", temperature=-1)
    with pytest.raises(DatasetError, match="unknown pooling rule 'norm'; choose one of media, "):
        TemplateRecipe("norm")
    with pytest.raises(DatasetError, match="use 'mean'"):
        TemplateRecipe("media", media=False)
    with pytest.raises(DatasetError, match="halves 'both' is unknown"):
        TemplateRecipe(halves="both")


@pytest.mark.parametrize("score", ["cosine", "scf", "mls"])
@pytest.mark.parametrize("rule", ["exact", "nearest"])
def test_verification(made, faces, score, rule):
    from sklearn.metrics import roc_auc_score

    from facepipe.score.pairs import score_pairs

    numbers, templates = ijb_templates(uncertain(made), faces, TemplateRecipe("sigma2" if score == "mls" else "kappa"))
    pairs = read_template_pairs(find_ijb(made.root, "C").pairs, numbers)
    result = evaluate_ijb_verification(templates, pairs, score, rule, FARS, {"subset": "C"})
    expected = score_pairs(score, templates, pairs.left, pairs.right)
    genuine, impostor = expected[pairs.same], expected[~pairs.same]
    assert result.to_dict()["auc"] == pytest.approx(roc_auc_score(pairs.same, expected))
    for point in result.to_dict()["tar"][:-1]:
        if rule == "exact":
            assert point == vars(tar_at_far(genuine, impostor, [point["far"]])[0])
        else:
            assert (point["tar"], point["reached"]) == pytest.approx(longhand.nearest(genuine, impostor, point["far"]))
    assert result.to_dict()["tar"][-1]["tar"] is None and "fewer than 1/FAR" in result.to_dict()["tar"][-1]["reason"]
    told = json.loads(json.dumps(result.to_dict()))
    assert (told["genuine"], told["impostor"]) == (int(pairs.same.sum()), int((~pairs.same).sum()))
    assert told["settings"]["subset"] == "C" and told["settings"]["rule"] == rule
    assert result.outcomes is not None and len(result.outcomes) == len(pairs)


def enrolled(made, numbers):
    folder = find_ijb(made.root, "C")
    lists = [read_enrolment(path) for path in (*folder.galleries, folder.probes)]
    *galleries, probes = (
        Enrolled(TemplateRows(numbers)(some.template, folder.probes), some.subject) for some in lists
    )
    return galleries, probes


def test_identification_closed(made, faces):
    numbers, templates = ijb_templates(embeddings_of(made), faces, TemplateRecipe())
    galleries, probes = enrolled(made, numbers)
    result = evaluate_closed(templates, galleries, probes, rates=(0.5, 0.1, 0.001))
    published = longhand.published_templates(made.features, made.template, made.media, True, made.detector)
    rows = np.concatenate([gallery.rows for gallery in galleries])
    subject = np.concatenate([gallery.subject for gallery in galleries])
    scores = published[probes.rows] @ published[rows].T
    own = subject == probes.subject[:, None]
    mates, others = scores[own], np.sort(scores[~own])[::-1]
    place = 1 + (scores > mates[:, None]).sum(1)
    for k, share in result.to_dict()["cmc"].items():
        assert share == pytest.approx((place <= int(k)).mean())
    for point in result.to_dict()["pooled"][:2]:
        threshold = others[int(np.ceil(len(mates) * point["fpir"])) - 1]
        assert point["tpir"] == pytest.approx((mates > threshold).mean())
        assert point["threshold"] == pytest.approx(threshold, abs=1e-6)
    assert result.to_dict()["pooled"][2]["reason"] == "28 probes, fewer than 1/rate"
    assert result.settings["reading"] == "closed"


def test_closed_a_mate_at_the_threshold_is_not_above_it():
    """The script counts what is strictly above; of two mates one ties with the highest score of another subject."""
    mu = np.array([[1, 0], [0, 1], [1, 1], [0, 2]], np.float32)
    gallery, probes = Enrolled(np.array([0, 1]), np.array([7, 8])), Enrolled(np.array([2, 3]), np.array([7, 8]))
    [point] = evaluate_closed(Embeddings(mu, "m@1"), [gallery], probes, rates=(0.5,)).pooled
    assert point.threshold == pytest.approx(np.sqrt(0.5)) and point.tpir == 0.5


@pytest.mark.parametrize("score", ["cosine", "scf"])
def test_identification_open(made, faces, score, monkeypatch):
    from facepipe.score.pairs import score_pairs

    monkeypatch.setattr("facepipe.protocols.score_blocks._SCORES", 30)
    numbers, templates = ijb_templates(uncertain(made), faces, TemplateRecipe())
    galleries, probes = enrolled(made, numbers)
    result = evaluate_open(templates, galleries, probes, score, fpirs=(0.5, 0.1, 0.001))
    places, expected = [], []
    for gallery, told in zip(galleries, result.to_dict()["galleries"], strict=True):
        grid = np.meshgrid(probes.rows, gallery.rows, indexing="ij")
        scores = score_pairs(score, templates, grid[0].ravel(), grid[1].ravel()).reshape(grid[0].shape)
        found = longhand.searched(scores, gallery.subject, probes.subject)
        places += [place for mated, *_, place in found if mated]
        expected.append([longhand.tpir(found, fpir, 1) for fpir in (0.5, 0.1, 0.001)])
        assert [point["tpir"] for point in told["tpir"]] == pytest.approx(expected[-1])
        assert (told["mated"], told["non_mated"], told["subjects"]) == (14, 14, 7)
    for k, share in result.to_dict()["cmc"].items():
        assert share == pytest.approx(np.mean([place <= int(k) for place in places]))
    for number, point in enumerate(result.to_dict()["tpir"][:2]):
        assert point["tpir"] == pytest.approx(np.mean([each[number] for each in expected]))
    assert result.to_dict()["tpir"][2] == {
        "fpir": 0.001, "tpir": None, "reason": "14 probes without a mate, fewer than 1/FPIR"
    }


def test_lists_that_do_not_fit(made, faces):
    numbers, templates = ijb_templates(embeddings_of(made), faces, TemplateRecipe())
    galleries, probes = enrolled(made, numbers)
    with pytest.raises(DatasetError, match="is in no gallery; the closed variant"):
        evaluate_closed(templates, galleries[:1], probes)
    with pytest.raises(DatasetError, match="is in the galleries twice"):
        evaluate_closed(templates, [*galleries, galleries[0]], probes)
    with pytest.raises(DatasetError, match="embeddings, but the list has"):
        ijb_templates(embeddings_of(made).take(range(5)), faces, TemplateRecipe())
    with pytest.raises(EmbeddingsError, match="no kappa"):
        ijb_templates(embeddings_of(made), faces, TemplateRecipe("kappa"))
    broken = embeddings_of(made)
    broken.mu[3] = np.nan
    with pytest.raises(DatasetError, match="not all finite"):
        ijb_templates(broken, faces, TemplateRecipe())
    broken.mu[:] = made.features
