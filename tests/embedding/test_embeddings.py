"""Embeddings as a value and as a file: what is written comes back, and nothing else is taken for it."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facepipe.embedding import Embeddings, EmbeddingsWriter, join, load_embeddings, require_same_model, save_embeddings
from facepipe.embedding.identity import remedy, same_model
from facepipe.errors import EmbeddingsError

RNG = np.random.default_rng(0)


def some(count=3, dim=4, **changes):
    fields = {
        "mu": RNG.normal(size=(count, dim)).astype(np.float32),
        "model": "net@0123456789ab",
        "flip": "sum",
        "paths": tuple(f"a/{row}.jpg" for row in range(count)),
        "detected": RNG.random(count) < 0.5,
        "failed": (("b.jpg", "no face found"),),
    }
    return Embeddings(**{**fields, **changes})


def assert_same(a, b):
    assert a.mu.dtype == b.mu.dtype == np.float32
    assert a.mu.shape == b.mu.shape and a.mu.tobytes() == b.mu.tobytes()
    assert (a.model, a.flip, a.paths, a.failed) == (b.model, b.flip, b.paths, b.failed)
    assert a.trained_dim == b.trained_dim
    for name in ("kappa", "sigma2", "detection_score"):
        ours, theirs = getattr(a, name), getattr(b, name)
        assert (ours is None) == (theirs is None), name
        if ours is not None:
            assert ours.dtype == theirs.dtype == np.float32 and ours.shape == theirs.shape
            assert ours.tobytes() == theirs.tobytes()
    assert a.detected.dtype == bool and a.detected.tolist() == b.detected.tolist()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def embeddings(draw):
    count, dim = draw(st.integers(0, 5)), draw(st.integers(1, 6))

    def perhaps(*width):
        return draw(st.none() | arrays(np.float32, (count, *width), elements=st.floats(width=32)))

    return Embeddings(
        kappa=perhaps(),
        sigma2=perhaps(draw(st.integers(1, dim))),
        trained_dim=draw(st.integers(0, dim)),
        detection_score=perhaps(),
        mu=draw(arrays(np.float32, (count, dim), elements=st.floats(width=32, allow_nan=False, allow_infinity=False))),
        model=draw(TEXT),
        flip=draw(st.sampled_from(["none", "sum", "concat"])),
        paths=tuple(draw(st.lists(TEXT, min_size=count, max_size=count))),
        detected=draw(arrays(bool, count)),
        failed=tuple(draw(st.lists(st.tuples(TEXT, TEXT), max_size=3))),
    )


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(value=embeddings())
def test_round_trip(tmp_path, value):
    """Bit for bit; of kappa, sigma2 and detection scores infinities and NaNs included."""
    save_embeddings(tmp_path / "e.parquet", value)
    assert_same(load_embeddings(tmp_path / "e.parquet"), value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_embeddings_that_are_no_numbers_are_refused(tmp_path, value):
    wrong = some()
    wrong.mu[1, 0] = value
    save_embeddings(tmp_path / "e.parquet", wrong)
    with pytest.raises(EmbeddingsError, match=f"e.parquet: the embedding of {wrong.paths[1]} holds NaN or infinity"):
        load_embeddings(tmp_path / "e.parquet")


def test_other_programs_can_read_the_file(tmp_path):
    value = some()
    save_embeddings(tmp_path / "e.parquet", value)
    rows = pq.read_table(tmp_path / "e.parquet").to_pylist()
    assert [row["path"] for row in rows] == [*value.paths, "b.jpg"]
    assert rows[1]["mu"] == value.mu[1].tolist() and rows[1]["error"] is None
    assert rows[3] == {"path": "b.jpg", "mu": None, "detected": False, "error": "no face found"}


def sure(count=3, **changes):
    """Embeddings with everything that is optional."""
    fields = {
        "kappa": RNG.random(count).astype(np.float32),
        "sigma2": RNG.random((count, 2)).astype(np.float32),
        "trained_dim": 2,
        "detection_score": np.array([0.5, np.nan, 1, 0.25, 0.75], np.float32)[:count],
    }
    return some(count, **{**fields, **changes})


def test_optional_columns_are_readable_by_other_programs(tmp_path):
    value = sure()
    save_embeddings(tmp_path / "e.parquet", value)
    rows = pq.read_table(tmp_path / "e.parquet").to_pylist()
    assert [row["kappa"] for row in rows] == [*value.kappa.tolist(), None]
    assert rows[0]["sigma2"] == value.sigma2[0].tolist() and rows[3]["sigma2"] is None
    assert rows[0]["detection_score"] == 0.5 and rows[3]["detection_score"] is None


@pytest.mark.parametrize("count", [0, 2])
def test_files_of_the_first_format(tmp_path, count):
    """As facepipe wrote them before there was uncertainty; the bytes are made here by hand."""
    value = some(count)
    about = {"format": 1, "model": value.model, "flip": value.flip, "dim": 4}
    lists = pa.list_(pa.float32(), 4)
    columns = {
        "path": pa.array([*value.paths, "b.jpg"], pa.string()),
        "mu": pa.array([*value.mu.tolist(), None], lists),
        "detected": pa.array([*value.detected.tolist(), False], pa.bool_()),
        "error": pa.array([None] * count + ["no face found"], pa.string()),
    }
    table = pa.table(columns).replace_schema_metadata({b"facepipe": json.dumps(about).encode()})
    pq.write_table(table, tmp_path / "old.parquet")
    assert_same(load_embeddings(tmp_path / "old.parquet"), value)


@pytest.mark.parametrize("name", ["kappa", "sigma2", "detection_score"])
def test_optional_columns_must_be_whole(tmp_path, name):
    """A face without its kappa is damage, not a face without confidence."""
    path = tmp_path / "e.parquet"
    save_embeddings(path, sure())
    table = pq.read_table(path)
    place = table.column_names.index(name)
    holed = pa.array([None, *table.column(name).to_pylist()[1:]], table.schema.field(name).type)
    pq.write_table(table.set_column(place, table.schema.field(name), holed), path)
    refused(path, "columns are wrong")
    pq.write_table(table.drop_columns([name]), path)
    refused(path, "columns are wrong")


def test_optional_fields_must_fit_the_rows():
    for change in ({"kappa": np.zeros(2)}, {"kappa": np.zeros((3, 1))}, {"sigma2": np.zeros(3)},
                   {"sigma2": np.zeros((3, 0))}, {"detection_score": np.zeros(4)}):  # fmt: skip
        with pytest.raises(EmbeddingsError, match="for 3 embeddings; it must be N"):
            some(**change)


@pytest.mark.parametrize("change", [{"kappa": None}, {"trained_dim": 4}, {"sigma2": np.zeros((3, 1), np.float32)}])
def test_rows_with_and_without_a_field_do_not_mix(tmp_path, change):
    one, other = sure(), sure(**change)
    with pytest.raises(EmbeddingsError, match=r"cannot be joined with others that have .*; embed"):
        join([one, other])
    with pytest.raises(EmbeddingsError, match="cannot be joined"), writer_for(tmp_path / "e.parquet", one) as writer:
        writer.write(one)
        writer.write(other)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", [[2, 0, 2], [], np.array([True, False, True]), np.array([1])])
def test_take(rows):
    value = sure()
    got = value.take(rows)
    places = np.arange(3)[np.asarray(rows, None if len(rows) else int)]
    assert got.paths == tuple(value.paths[place] for place in places)
    assert got.failed == () and got.trained_dim == 2 and got.model == value.model
    for name in ("mu", "detected", "kappa", "sigma2", "detection_score"):
        expected = [getattr(value, name)[place].tolist() for place in places]
        np.testing.assert_equal(getattr(got, name).tolist(), expected)
    assert Embeddings(np.zeros((3, 2), np.float32), "m").take(rows).paths == ()


def test_paths_that_are_not_utf8(tmp_path):
    """Parquet's text is UTF-8; the names stay legible, also in the reason."""
    value = some(1, paths=("caf\udce9.jpg",), failed=(("b\udcff.jpg", "b\udcff.jpg: damaged"),))
    save_embeddings(tmp_path / "e.parquet", value)
    got = load_embeddings(tmp_path / "e.parquet")
    assert got.paths == (r"caf\udce9.jpg",)
    assert got.failed == ((r"b\udcff.jpg", r"b\udcff.jpg: damaged"),)


def test_float64_is_kept_as_float32(tmp_path):
    value = some(mu=RNG.normal(size=(3, 4)))
    save_embeddings(tmp_path / "e.parquet", value)
    assert (load_embeddings(tmp_path / "e.parquet").mu == value.mu.astype(np.float32)).all()


def test_value():
    value = Embeddings(np.zeros((2, 3), np.float32), "m@1")
    assert len(value) == 2 and value.dim == 3 and value.detected.tolist() == [True, True]
    named = value.with_paths(["x", "y"])
    assert named.row_of() == {"x": 0, "y": 1} and named.model == "m@1" and value.paths == ()
    with pytest.raises(EmbeddingsError, match=r"must be N×D, not \(3,\)"):
        Embeddings(np.zeros(3, np.float32), "m@1")
    with pytest.raises(EmbeddingsError, match="1 paths for 2 embeddings"):
        value.with_paths(["x"])


def test_a_stamp_without_a_cut_is_of_the_old_ones():
    """Files of before cuts were recorded: compared with what was cut so, refused where 112x112 is insightface's."""
    old = some()
    names = ("112x96-cp2tform", "112x112-cp2tform", "112x112-umeyama")
    cut = {name: some(model=f"{old.model}/{name}") for name in names}
    for name in ("112x96-cp2tform", "112x112-cp2tform"):
        require_same_model(old, cut[name])
        assert join([old, cut[name]]).model == cut[name].model == join([cut[name], old]).model
    for one, other in ((old, cut["112x112-umeyama"]), (cut["112x112-umeyama"], old)):
        with pytest.raises(EmbeddingsError, match="net@0123456789ab was made with the old 112×112"):
            require_same_model(one, other)
    with pytest.raises(EmbeddingsError, match="embed both with one model"):
        require_same_model(cut["112x112-cp2tform"], cut["112x112-umeyama"])
    with pytest.raises(EmbeddingsError, match="embed both with one model"):
        require_same_model(old, some(model="other@9/112x96-cp2tform"))


def test_stamps_of_ensembles_are_compared_member_by_member():
    one = "a@1/112x112-umeyama+b@2/112x96-cp2tform"
    assert same_model(one, one) and same_model(one, "a@1/112x112-umeyama+b@2")
    assert not same_model(one, "a@1+b@2") and not same_model(one, "a@1/112x112-umeyama")
    assert remedy(one, "a@1+b@2").startswith("a@1+b@2 was made with the old 112×112 crop geometry")


@pytest.mark.parametrize(
    ("change", "told"),
    [({"model": "other@9"}, "other@9"), ({"flip": "none"}, "flip none"), ({"mu": np.zeros((3, 5), np.float32)}, "5-d")],
)
def test_models_are_never_mixed(tmp_path, change, told):
    one, other = some(), some(**change)
    require_same_model(one, some(7))
    for mixing in (lambda: require_same_model(one, one, other), lambda: join([one, other])):
        with pytest.raises(EmbeddingsError, match="cannot be compared") as caught:
            mixing()
        assert told in str(caught.value) and "net@0123456789ab" in str(caught.value)
    path = tmp_path / "e.parquet"
    with pytest.raises(EmbeddingsError, match="cannot be compared"), writer_for(path, one) as writer:
        writer.write(one)
        writer.write(other)
    assert list(tmp_path.iterdir()) == []


def test_join():
    a, b = sure(2), sure(3, failed=())
    joined = join([a, b])
    assert (joined.mu == np.vstack([a.mu, b.mu])).all()
    assert joined.paths == a.paths + b.paths and joined.failed == a.failed
    assert joined.detected.tolist() == [*a.detected, *b.detected]
    for name in ("kappa", "sigma2", "detection_score"):
        both = np.concatenate([getattr(a, name), getattr(b, name)])
        assert np.array_equal(getattr(joined, name), both, equal_nan=True)
    assert join([some(1), some(1)]).kappa is None
    with pytest.raises(EmbeddingsError, match="no embeddings"):
        join([])


def writer_for(path, value):
    return EmbeddingsWriter(path, value.model, value.flip, value.dim)


def test_batch_by_batch(tmp_path):
    batches = [sure(2), sure(0), sure(5, failed=()), sure(1)]
    path = tmp_path / "new" / "e.parquet"
    with writer_for(path, batches[0]) as writer:
        for batch in batches:
            writer.write(batch)
        assert not path.exists()
    assert_same(load_embeddings(path), join(batches))
    assert [entry.name for entry in path.parent.iterdir()] == ["e.parquet"]


def test_no_batch_at_all(tmp_path):
    with writer_for(tmp_path / "e.parquet", some()):
        pass
    got = load_embeddings(tmp_path / "e.parquet")
    assert got.mu.shape == (0, 4) and got.model == "net@0123456789ab"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_half_written(tmp_path, error):
    path = tmp_path / "e.parquet"
    old = some()
    save_embeddings(path, old)
    with pytest.raises(error), writer_for(path, old) as writer:
        writer.write(some())
        raise error
    assert_same(load_embeddings(path), old)
    assert [entry.name for entry in tmp_path.iterdir()] == ["e.parquet"]


def test_disk_full_on_closing_leaves_no_rest(tmp_path, monkeypatch):
    def fail(self):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), writer_for(tmp_path / "e.parquet", some()) as writer:
        writer.write(some())
        monkeypatch.setattr(pq.ParquetWriter, "close", fail)
    assert list(tmp_path.iterdir()) == []


def test_rows_without_paths_are_not_saved(tmp_path):
    with pytest.raises(EmbeddingsError, match=r"e\.parquet: embeddings need paths to be saved"):
        save_embeddings(tmp_path / "e.parquet", some(paths=()))
    assert list(tmp_path.iterdir()) == []


def refused(path, match):
    with pytest.raises(EmbeddingsError, match=match) as caught:
        load_embeddings(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_no_embeddings_file(tmp_path):
    refused(tmp_path / "gone.parquet", "no such file; make it with 'facepipe embed")
    refused(tmp_path, "not a readable embeddings file")
    for number, content in enumerate([b"", b"PAR1", b"name,score\nann,0.3\n" * 99, b"PAR1" + bytes(999) + b"PAR1"]):
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(content)
        refused(path, "not a readable embeddings file; create it again")


COLUMNS = {"path": ["a"], "mu": [[1.0, 2.0]], "detected": [True], "error": [None]}


@pytest.mark.parametrize(
    "about",
    [
        None,
        "no json",
        "[1, 2]",
        "7",
        "{}",
        '{"format": 1}',
        '{"format": 1, "model": "m", "flip": "sum", "dim": "4"}',
        '{"format": 1, "model": 3, "flip": "sum", "dim": 2}',
        '{"format": 1, "model": "m", "flip": "sum", "dim": 3}',
        '{"format": 1, "model": "m", "flip": "sum", "dim": -1}',
        '{"format": 1, "model": "m", "flip": "sum", "dim": 2}',
        '{"format": 2, "model": "m", "flip": "sum", "dim": 2}',
    ],
)
def test_foreign_parquet(tmp_path, about):
    """Even with our metadata: the columns have other types (a list of doubles, null errors)."""
    table = pa.table(COLUMNS)
    if about is not None:
        table = table.replace_schema_metadata({b"facepipe": about.encode()})
    pq.write_table(table, tmp_path / "e.parquet")
    refused(tmp_path / "e.parquet", "not one written by 'facepipe embed'|columns are wrong|incompatible version")


def test_what_another_program_wrote_anew(tmp_path):
    """As pandas does: without who made it, or with lists of doubles."""
    save_embeddings(tmp_path / "e.parquet", some())
    table = pq.read_table(tmp_path / "e.parquet")
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "bare.parquet")
    refused(tmp_path / "bare.parquet", "dropped its metadata: embed the photos again")
    doubles = pa.table({name: table[name].to_pylist() for name in table.column_names})
    pq.write_table(doubles.replace_schema_metadata(table.schema.metadata), tmp_path / "doubles.parquet")
    refused(tmp_path / "doubles.parquet", r"column mu is list<.*double>, but must be fixed_size_list<.*float>")


def test_missing_column(tmp_path):
    save_embeddings(tmp_path / "e.parquet", some())
    table = pq.read_table(tmp_path / "e.parquet")
    assert json.loads(table.schema.metadata[b"facepipe"])["dim"] == 4
    for name in table.column_names:
        pq.write_table(table.drop_columns([name]), tmp_path / "e.parquet")
        refused(tmp_path / "e.parquet", "columns are wrong")


def test_damaged_files_give_an_error_and_never_other_numbers(tmp_path):
    """Compressed floats look plausible after any bit flip: only the page checksums tell."""
    value = some(30, 8, kappa=RNG.random(30, np.float32), sigma2=RNG.random((30, 8), np.float32), trained_dim=8)
    save_embeddings(tmp_path / "e.parquet", value)
    data = (tmp_path / "e.parquet").read_bytes()
    path, rng, refusals = tmp_path / "damaged.parquet", np.random.default_rng(1), 0
    for number in range(150):
        changed, at = bytearray(data), int(rng.integers(len(data)))
        if number % 3 == 0:
            changed = changed[:at]
        elif number % 3 == 1:
            changed[at] ^= 1 << int(rng.integers(8))
        else:
            changed[at : at + 16] = bytes(len(changed[at : at + 16]))
        path.write_bytes(changed)
        try:
            got = load_embeddings(path)
        except EmbeddingsError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
            refusals += 1
        else:  # bytes that say nothing of the rows, or a letter of the model's name
            assert_same(dataclasses.replace(got, model=value.model, flip=value.flip), value)
    assert refusals > 120
