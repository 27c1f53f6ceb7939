"""Find the nearest faces among saved embeddings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.decision_words import explained
from facepipe.cli.door import Output, door
from facepipe.cli.face_tools import FaceTools, note_mixed, turning_face_tools
from facepipe.cli.inputs import Inputs, strict_option
from facepipe.cli.made import is_index, is_store
from facepipe.cli.photo_type import PHOTO
from facepipe.cli.query import embed_query, read_query
from facepipe.cli.screen import note, print_json
from facepipe.cli.table import show_table
from facepipe.errors import EmbeddingsError
from facepipe.files import locked, require_apart
from facepipe.tables import Column, counted

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings
    from facepipe.identification.hits import Judge
    from facepipe.score.search import Hits
    from facepipe.score.store import Store


@click.command("search")
@click.argument("query", type=PHOTO)
@click.argument("store", type=click.Path(path_type=Path))
@click.option("-k", "k", type=click.IntRange(1), default=10, show_default=True, help="Number of hits to return.")
@click.option(
    "--index",
    type=options.output_path,
    help="Search in this file, created first if missing: .npy, the store as a memory-mapped float16 "
    "array; or .faiss, an approximate index.",
)
@click.option("--probes", type=click.IntRange(1), default=16, show_default=True, help="Cells to search in a .faiss.")
@options.matches("not in the store that may return a match")
@options.faces
@turning_face_tools
@strict_option
@options.as_json
@door(
    Output("index", (".npy", ".faiss"), is_replaceable=is_index, shared=True),
    reads=("query", "store"),
    keeps=("index",),
)
def command(
    query: Path,
    store: Path,
    k: int,
    index: Path | None,
    probes: int,
    fpir: float,
    among: Any,
    threshold: float | None,
    rule: str,
    tools: FaceTools,
    strict: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Find the faces in STORE that are nearest to QUERY, best first.

    STORE is a file of 'facepipe embed', or the .npy made from it by --index. QUERY is a photo, embedded by the model
    that made the store, or a file of embeddings. The search is exact: every face of the store is compared, and scores
    are cosines computed in float64. Since somebody is always nearest, each hit has a verdict: match, at the
    false-positive rate over the whole store; possible, if two photos alone would pass; or no match. With --json, per
    query: {"query", "hits": [{"path", "score", "row", "verdict"}], "remarks", "judge", "model", "engine",
    "precision", "findings"}; the last three say how the query was embedded.

    An index is rebuilt if STORE has changed since; an index of another store is replaced only with --overwrite.
    """
    from facepipe.score.search import top_k
    from facepipe.score.store import open_store

    query, store = _in_order(query, store)
    if index is not None and index.suffix == ".npy":
        with locked(index, note):
            _make_array(store, index, overwrite)
        store = index
    opened = open_store(store)
    inputs = Inputs(strict)
    queries = _queries(query, store, opened, rule, tools, inputs)
    if index is not None and index.suffix == ".faiss":
        with locked(index, note):
            hits = _approximate(index, store, opened, queries, k, probes, overwrite)
    else:
        hits = top_k(queries.mu, opened.vectors, k, tools.device, opened.unit_rows)
    judge = _judge(opened, tools, fpir, among, threshold)
    for number, path in enumerate(queries.paths):
        rows = _hit_rows(opened, hits, number, judge)
        if as_json:
            remarks = list(inputs.remarks.get(str(query), ()))
            about = {"query": path, "hits": rows, "remarks": remarks, "judge": judge.to_dict()}
            print_json(about | {"model": queries.model} | queries.record(), indent=None)
        else:
            _show(path, rows)
    if judge.decision is None:
        note(f"no verdicts: {judge.reason}; set --threshold", style="yellow")
    else:
        note(explained(judge.decision, len(opened), "a match", "face"))
    inputs.report()
    inputs.end()


def _make_array(store: Path, index: Path, overwrite: bool) -> None:
    from facepipe.score.store import export_store, is_current, names_file, read_names, require_same_source

    if store.suffix == ".npy":
        raise EmbeddingsError(f"{store}: already a memory-mapped store; leave out --index")
    if overwrite or not is_current(index, store):
        if not index.exists():
            require_apart([names_file(index)], [store], overwrite)
        elif not overwrite:
            require_same_source(index, read_names(index)[0]["source"], store)
            note(f"{store}: has changed since {index.name} was made from it")
        export_store(store, index)
        note(f"{index}: written, {index.stat().st_size / 1e6:.1f} MB")


def _queries(query: Path, path: Path, store: "Store", rule: str, tools: FaceTools, inputs: Inputs) -> "Embeddings":
    """Embeddings of the query by the store's model."""
    from facepipe.embedding import load_embeddings
    from facepipe.embedding.identity import remedy, same_model

    if query.suffix == ".parquet":
        loaded = load_embeddings(query)
        if loaded.flip != store.flip or not same_model(loaded.model, store.model):
            raise EmbeddingsError(
                f"{query}: made by {loaded.model} (flip {loaded.flip}), {path} by {store.model} (flip {store.flip}); "
                f"{remedy(loaded.model, store.model)}"
            )
        note_mixed(query, loaded.provenance, store.provenance)
        return loaded
    image = read_query(query, inputs)
    embedder = tools.embedder_of(path, store.model, store.flip, store.provenance, 1)
    return embed_query(image, tools.cropper(embedder, rule), embedder)[0]


def _judge(store: "Store", tools: FaceTools, fpir: float, among: Any, threshold: float | None) -> "Judge":
    from facepipe.embedding.identity import same_model
    from facepipe.errors import ModelError
    from facepipe.identification.hits import judge_of
    from facepipe.zoo import locate

    try:
        card = locate(tools.model or store.model.split("@")[0])[0]
    except ModelError:
        card = None
    if card is not None and not same_model(store.model, card.identity):
        card = None
    return judge_of(card, len(store), fpir, store.flip, among, threshold)


def _approximate(
    index: Path, path: Path, store: "Store", queries: "Embeddings", k: int, probes: int, overwrite: bool
) -> "Hits":
    from facepipe.score.approximate import (
        build_approximate,
        metadata_file,
        open_approximate,
        search_approximate,
        source_of_index,
    )
    from facepipe.score.store import matches_source, require_same_source

    source = source_of_index(index)
    if source is not None and not overwrite and matches_source(source, path):
        ready = open_approximate(index, store)
    else:
        if source is not None and not overwrite:
            require_same_source(index, source, path)
            note(f"{path}: has changed since {index.name} was made from it")
        elif source is None:
            require_apart([metadata_file(index)], [path], overwrite or index.is_file())
        ready = build_approximate(store, index, path)
        note(f"{index}: written, {index.stat().st_size / 1e6:.1f} MB")
    measured = ", ".join(f"{share:.3f} with {count}" for count, share in ready.recall.items())
    note(f"approximate, with {counted(probes, 'probe')}; recall of the ten nearest, by probes: {measured}")
    return search_approximate(ready, store, queries.mu, k, probes)


def _hit_rows(store: "Store", hits: "Hits", number: int, judge: "Judge") -> list[dict[str, Any]]:
    pairs = zip(hits.rows[number].tolist(), hits.scores[number].tolist(), strict=True)
    return [
        {
            "path": store.paths[row] if len(store.paths) else None,
            "score": score,
            "row": row,
            "verdict": judge(score),
        }
        for row, score in pairs
        if row >= 0
    ]


def _show(query: str, hits: list[dict[str, Any]]) -> None:
    columns = (Column("", right=True), Column("score", right=True), Column("verdict"), Column("path"))
    rows = [(n, f"{hit['score']:.4f}", hit["verdict"] or "–", hit["path"] or "") for n, hit in enumerate(hits, 1)]
    show_table(columns, rows, query)


def _in_order(query: Path, store: Path) -> tuple[Path, Path]:
    """Query and store in either order; two possible stores are taken in the given order."""
    if is_store(query) and not is_store(store) and store.is_file():
        note(f"{query}: contains embeddings, so it is used as STORE; QUERY comes first", style="yellow")
        return store, query
    return query, store
