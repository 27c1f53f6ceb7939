"""The base class of protocol results, and its JSON form."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_type_hints

from facepipe import __version__
from facepipe.embedding.provenance import mixing_remark
from facepipe.errors import DatasetError
from facepipe.protocols.text_table import as_text
from facepipe.protocols.verification.outcomes import Outcomes
from facepipe.tables import Summary, Table, TextLine, figures

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

FLAT = {"flat": True}
"""Metadata of a field whose fields are inlined in JSON."""
IF_ANY = {"if_any": True}
"""Metadata of a field that is omitted from JSON if empty."""
HIDDEN = {"hidden": True}
"""Metadata of a field for display only, not in JSON."""


@dataclass(frozen=True)
class FoldResult:
    """One fold: accuracy on its pairs as a fraction, and the threshold chosen on the other folds."""

    accuracy: float
    threshold: float
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of a protocol; each protocol's class adds its figures as fields.

    Shares are fractions, counts integers, and a figure that cannot be computed is None.

    Attributes:
        protocol: its name.
        settings: everything the figures depend on: model, flip, score, rule, hash of the data, versions ...
        outcomes: the outcome of each pair, for paired tests between runs; None if not applicable.
        title: display name, if different from the protocol's name.
    """

    protocol: str
    settings: dict[str, Any] = field(default_factory=dict)
    outcomes: Outcomes | None = field(default=None, repr=False)
    title: str = ""

    @property
    def named(self) -> str:
        """The title, or the protocol's name."""
        return self.title or self.protocol

    def summary(self) -> Iterator[Summary]:
        """A human-readable summary; by default the fields, overridden by protocols' classes."""
        settings = ", ".join(str(self.settings[name]) for name in ("model", "score") if self.settings.get(name))
        title = f"{self.named}, {settings}" if settings else self.named
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _COMMON or one.metadata.get("hidden"):
                continue
            if isinstance(value, tuple) and value and is_dataclass(value[0]):
                columns = [part.name for part in fields(value[0])]
                rows = [tuple(_cell(getattr(row, name)) for name in columns) for row in value]
                yield Table(f"{title}: {one.name}", figures(*columns), rows)
            else:
                yield TextLine(f"{title}: {one.name} {_cell(value)}")

    def __str__(self) -> str:
        """The summary as text, as the command line prints it."""
        return as_text(self.summary())

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for JSON: the figures at the top, ``settings`` and ``outcomes`` below them."""
        values = {"protocol": self.protocol, **plain(self), "settings": self.settings}
        if self.outcomes is not None:
            values["outcomes"] = self.outcomes.as_json()
        return values

    @classmethod
    def from_dict(cls, fields: Any, where: str | Path) -> Self:
        """The inverse of `to_dict`, for a class without flat fields.

        Args:
            fields: the content of a file.
            where: the file's name, for the error.

        Raises:
            DatasetError: it is not such a result.
        """
        from pydantic import TypeAdapter

        try:
            hints, rest = get_type_hints(cls), dict(fields)
            outcomes = rest.pop("outcomes", None)
            values = {name: TypeAdapter(hints[name]).validate_python(value) for name, value in rest.items()}
            return cls(**values, outcomes=None if outcomes is None else Outcomes.from_json(outcomes))
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{where}: not a result of 'facepipe eval ... --json'; make it again") from error


_COMMON = tuple(one.name for one in fields(Result))


def plain(value: Any) -> Any:
    """Dataclasses, tuples and dictionaries as JSON values, field by field as `FLAT`, `IF_ANY` and `HIDDEN` say."""
    if is_dataclass(value):
        values: dict[str, Any] = {}
        for one in fields(value):
            part = getattr(value, one.name)
            if one.metadata.get("hidden") or (one.name in _COMMON and isinstance(value, Result)):
                continue
            if one.metadata.get("flat"):
                values |= plain(part)
            elif part or not one.metadata.get("if_any"):
                values[one.name] = plain(part)
        return values
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, tuple | list) else value


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def settings_of(embeddings: "Embeddings", **more: Any) -> dict[str, Any]:
    """Settings of a run: model, precision, engine, how faces were found (None if unknown), the protocol's additions and
    software versions; with a remark if embeddings made in different ways were joined."""
    remark = mixing_remark(embeddings.provenance)
    about: dict[str, Any] = {"model": embeddings.model, "flip": embeddings.flip}
    about |= embeddings.record()
    return {**about, **more, "versions": versions(), **({"remark": remark} if remark else {})}


def versions() -> dict[str, str]:
    """Versions of facepipe, torch and NumPy, without importing torch."""
    return {"facepipe": __version__, "torch": _version("torch"), "numpy": _version("numpy")}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
