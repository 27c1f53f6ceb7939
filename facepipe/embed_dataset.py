"""Embedding a whole dataset into a file, and bringing the file up to date with the images later."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from facepipe.embedding import Embeddings, EmbeddingsWriter
from facepipe.embedding.begun_file import BegunFile, forget_begun
from facepipe.embedding.origin import Origin, origins_of
from facepipe.embedding.saved_rows import SavedRows
from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.files import Changes, mark_file
from facepipe.files.fingerprint import compare_mark, digest_of, digest_of_bytes
from facepipe.files.stored import StoredPath
from facepipe.images import file_and_page, read_marked
from facepipe.parameters import parameter
from facepipe.pipeline import Read, ReadImage, See
from facepipe.tables import counted
from facepipe.weights import cache_folder

Embed = Callable[[Iterable[Path], Read, See], Iterator[Embeddings]]
"""Images, their reader, a callback per image read → batches of rows, as from `facepipe.ensemble.embed_ensemble`."""

_ROWS = 64


class NothingToEmbed(DatasetError):  # noqa: N818
    """No image gave an embedding; an existing file is left unchanged."""


@dataclass(frozen=True)
class EmbeddedDataset:
    """The outcome for the images.

    Attributes:
        embedded: embeddings in the file.
        failed: images without an embedding.
        changes: in the images since the last run; None if there was none or its rows could not be reused.
    """

    embedded: int
    failed: int
    changes: Changes | None


@dataclass
class EmbeddedFile:
    """A file of embeddings, and how to create or update it.

    Attributes:
        path: the Parquet file.
        roots: files and folders to embed.
        made: how images become embeddings, as plain JSON values; rows made with other settings are recomputed.
        frozen: use the rows in the file as they are, even if images were added, removed or changed.
        verify: compare the contents of every image, not only of those whose size or time changed.
        overwrite: recompute all embeddings.
        notify: called with what cannot be reused, and why.
    """

    path: Path
    roots: Sequence[Path]
    made: Mapping[str, Any]
    frozen: bool = False
    verify: bool = False
    overwrite: bool = False
    notify: Callable[[str], None] = field(default=lambda _: None, repr=False)


def embed_dataset(
    images: Iterable[Path],
    embed: Embed,
    made_of: tuple[str, str, int],
    file: EmbeddedFile | None,
    strict: bool = False,
    advance: Callable[[int], None] = lambda _: None,
    see: See = lambda _: None,
    each: Callable[[Embeddings], None] = lambda _: None,
) -> EmbeddedDataset:
    """Embed images into a file; if the file exists, embed only new and changed images.

    Rows of images that no longer exist are dropped, and rows follow the order of ``images``. The file is replaced
    atomically. Embeddings are saved every few seconds, so that an interrupted run resumes.

    Args:
        images: paths.
        embed: see `Embed`.
        made_of: model, flip rule and length of the embeddings, as from `facepipe.ensemble.ensemble_of`.
        file: the output file; None only passes the rows on.
        strict: reject images with damaged data.
        advance: called with the number of images finished in each step.
        see: called once for every image, without pixels for images whose rows are reused.
        each: called with every batch of rows, including reused ones.

    Raises:
        NothingToEmbed: no image gives an embedding; the file is left unchanged.
        DatasetError: a frozen file was made with other settings.
        EmbeddingsError: the file is damaged.
    """
    before = None if file is None else _made_before(file, made_of)
    with nullcontext() if before is None else closing(before):
        if file is not None and file.frozen and before is not None:
            return _frozen(before, see, each)
        begun = None if file is None else _begun(file, made_of)
        job = _Job(embed, before, begun, file is not None and file.verify, strict, advance, see)
        embedded = failed = 0
        with nullcontext() if file is None else _writer(file, made_of) as writer:
            for batch, origins, new in job.batches(images):
                if writer is not None:
                    writer.write(batch, origins, keep=new)
                each(batch)
                embedded += len(batch)
                failed += len(batch.failed)
            if not embedded:
                raise NothingToEmbed(f"nothing to embed ({counted(failed, 'image')} without a usable face)")
        return EmbeddedDataset(embedded, failed, job.changes())


def _writer(file: EmbeddedFile, made_of: tuple[str, str, int]) -> EmbeddingsWriter:
    begun = BegunFile(_begun_folder(file))
    return EmbeddingsWriter(file.path, *made_of, roots=file.roots, made=file.made, begun=begun)


def _begun_folder(file: EmbeddedFile) -> Path:
    if isinstance(file.path, StoredPath):
        return cache_folder() / "jobs" / f"{digest_of_bytes(str(file.path).encode())}.begun"
    return file.path.parent / ".facepipe" / f"{file.path.name}.begun"


def _begun(file: EmbeddedFile, made_of: tuple[str, str, int]) -> SavedRows | None:
    """The rows saved by an interrupted run if made with the same settings; otherwise they are deleted."""
    folder = _begun_folder(file)
    if not folder.is_dir():
        return None
    with suppress(EmbeddingsError):
        kept = SavedRows(folder)
        if not file.overwrite and not _other(file, kept, made_of):
            done = counted(len(kept.images), "image")
            file.notify(f"{file.path}: resuming an interrupted run, {done} already embedded")
            return kept
    forget_begun(folder)
    return None


def _other(file: EmbeddedFile, then: SavedRows, made_of: tuple[str, str, int]) -> list[str]:
    """Names of the settings that differ."""
    identity, flip, _ = made_of
    other = [name for name in file.made.keys() | then.made.keys() if file.made.get(name) != then.made.get(name)]
    return other + [name for name, now in (("model", identity), ("flip", flip)) if then.about[name] != now]


def _made_before(file: EmbeddedFile, made_of: tuple[str, str, int]) -> SavedRows | None:
    """The rows of the file if made with the same settings."""
    if file.overwrite or not file.path.is_file():
        return None
    try:
        before = SavedRows(file.path)
    except EmbeddingsError as error:
        _not_taken(file, str(error))
        return None
    other = _other(file, before, made_of)
    if not other:
        return before
    before.close()
    _not_taken(file, f"{file.path}: was made with a different {', '.join(sorted(other))}")
    return None


def _not_taken(file: EmbeddedFile, why: str) -> None:
    if file.frozen:
        raise DatasetError(f"{why}; {parameter('frozen', True)} cannot use it")
    file.notify(f"{why}: all images are embedded again")


def _frozen(before: SavedRows, see: See, each: Callable[[Embeddings], None]) -> EmbeddedDataset:
    embedded = failed = 0
    known = before.images
    for image, origin in known.items():
        see(ReadImage(Path(image), None, remarks=origin.remarks))
    for images in _chunks(iter(known)):
        rows, _ = before.rows(images)
        each(rows)
        embedded += len(rows)
        failed += len(rows.failed)
    return EmbeddedDataset(embedded, failed, None)


def _chunks(items: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(items, _ROWS)):
        yield chunk


class _Job:
    """Decides which images must be embedded, and counts them."""

    def __init__(
        self,
        embed: Embed,
        before: SavedRows | None,
        begun: SavedRows | None,
        verify: bool,
        strict: bool,
        advance: Callable[[int], None],
        see: See,
    ) -> None:
        self.embed, self.before, self.begun, self.verify = embed, before, begun, verify
        self.advance, self.see = advance, see
        self.read = partial(read_marked, strict=strict)
        self.known = {} if before is None else before.images
        self.kept = {} if begun is None else begun.images
        self.counts: dict[str, list[str]] = {state: [] for state in ("new", "changed", "touched", "same")}
        self.seen: set[str] = set()

    def batches(self, images: Iterable[Path]) -> Iterator[tuple[Embeddings, dict[str, Origin], bool]]:
        """Rows in the order of the images, with the origin of each, and whether they were embedded now."""
        decided = ((path, self._source(path)) for path in images)
        for source, group in groupby(decided, key=lambda one: one[1]):
            paths = (path for path, _ in group)
            taken = self._embedded(paths) if source is None else self._taken_over(source, paths)
            for batch, origins in taken:
                yield batch, origins, source is None

    def changes(self) -> Changes | None:
        """Changes since the last run."""
        if self.before is None:
            return None
        vanished = tuple(sorted(self.known.keys() - self.seen))
        new, changed, touched, same = (tuple(sorted(self.counts[s])) for s in ("new", "changed", "touched", "same"))
        return Changes(new, changed, vanished, touched, same)

    def _source(self, path: Path) -> SavedRows | None:
        """Where the rows of an image are taken from; None where it must be embedded."""
        if self._state(path) in ("same", "touched"):
            return self.before
        return self.begun if self._compare(path, self.kept.get(_stored(path))) in ("same", "touched") else None

    def _state(self, path: Path) -> str:
        if self.before is None:
            return "new"
        name = _stored(path)
        self.seen.add(name)
        state = self._compare(path, self.known.get(name))
        self.counts[state].append(name)
        return state

    def _compare(self, path: Path, then: Origin | None) -> str:
        if then is None:
            return "new"
        try:
            file, _ = file_and_page(path)
            now = mark_file(file, digest=self.verify)
            # Unreadable images are tried again: they may have become readable without a change.
            return compare_mark(str(path), then.mark, now, lambda _: digest_of(file)) if then.mark.digest else "changed"
        except OSError:
            return "changed"

    def _taken_over(
        self, source: SavedRows, paths: Iterator[Path]
    ) -> Iterator[tuple[Embeddings, dict[str, Origin]]]:
        known = self.known if source is self.before else self.kept
        for chunk in _chunks(paths):
            rows, origins = source.rows([_stored(path) for path in chunk])
            for path in chunk:
                self.see(ReadImage(path, None, remarks=known[_stored(path)].remarks))
            yield rows, {row: self._touched(origin) for row, origin in origins.items()}
            self.advance(len(chunk))

    def _touched(self, origin: Origin) -> Origin:
        """With the current modification time, so that contents need not be compared again."""
        try:
            now = mark_file(file_and_page(Path(origin.image))[0])
        except OSError:
            return origin
        return replace(origin, mark=origin.mark.at(now.mtime))

    def _embedded(self, paths: Iterator[Path]) -> Iterator[tuple[Embeddings, dict[str, Origin]]]:
        read: dict[str, Origin] = {}

        def see(image: ReadImage) -> None:
            read[str(image.path)] = Origin(str(image.path), image.mark, image.remarks)
            self.see(image)

        for batch in self.embed(paths, self.read, see):
            origins = origins_of(batch, read)
            yield batch, origins
            for origin in origins.values():
                read.pop(origin.image, None)


def _stored(path: Path) -> str:
    """The path as text for Parquet; a file name need not be valid text."""
    return str(path).encode("utf-8", "backslashreplace").decode()
