"""Read, override and write recipes as TOML."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from facepipe.errors import FacepipeError
from facepipe.files import write_text
from facepipe.nearest import did_you_mean, nearest
from facepipe.parameters import parameter
from facepipe.shipped import shipped
from facepipe.train.recipe.schema import Recipe
from facepipe.train.recipe.section import Section
from facepipe.zoo.toml import dumps


class RecipeError(FacepipeError):
    """A recipe is unknown or malformed, or has an unknown field."""


def shipped_recipes() -> list[str]:
    """Names of the recipes shipped with facepipe, sorted."""
    return shipped_names("recipe")


def shipped_names(kind: str) -> list[str]:
    """Names of the files shipped as ``models/KINDs/*.toml``, sorted."""
    return sorted(path.stem for path in shipped("models", f"{kind}s").glob("*.toml"))


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Load a shipped recipe by name, or a TOML file by path, and apply ``section.field=value`` overrides.

    Raises:
        RecipeError: no such recipe, not TOML, or an unknown or invalid field; names file and field.
    """
    path = named_file("recipe", name)
    return parse_recipe(read_toml(path), str(path), overrides)


def named_file(kind: str, name: str) -> Path:
    """The file that ``name`` refers to: a shipped recipe (or other ``kind``), or a path ending in ``.toml``.

    Raises:
        RecipeError: neither shipped nor an existing file.
    """
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise RecipeError(f"{name}: no such {kind} file; check the path")
        return path
    known = shipped_names(kind)
    if name in known:
        return shipped("models", f"{kind}s", f"{name}.toml")
    raise RecipeError(f"{name}: no such {kind}; {did_you_mean(name, known)} (or give the path of a .toml file)")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        RecipeError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid TOML ({error})") from error


def parse_recipe(fields: dict[str, Any], where: str, overrides: Sequence[str] = ()) -> Recipe:
    """Build a recipe from parsed TOML; errors refer to it as ``where``.

    Overriding ``loss.name`` with another loss drops the options of the previous one, so it must precede overrides of
    loss options.

    Raises:
        RecipeError: an unknown or invalid field.
    """
    fields = {name: _rename(name, value) for name, value in fields.items()}
    for override in overrides:
        fields = _override(fields, override)
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error)}") from error


def _override(fields: dict[str, Any], override: str) -> dict[str, Any]:
    name, equals, text = override.partition("=")
    parts, value = name.strip().split("."), _value(text.strip())
    if not equals or len(parts) < 2 or not all(parts):
        raise RecipeError(
            f"{parameter('overrides', override, 'set')}: write section.field=value, such as "
            f"optimiser.lr=0.05"
        )
    if parts == ["loss", "name"] and _table(fields.get("loss")).get("name") != value:
        fields = {**fields, "loss": {}}  # its options belong to the other loss
    if len(parts) == 2:
        parts = [parts[0], *_rename(parts[0], {parts[1]: value})]
    return _with(fields, parts, value)


def _rename(section: str, fields: Any) -> Any:
    """The fields of a section by their present names."""
    info = Recipe.model_fields.get(section)
    kind = None if info is None else info.annotation
    if isinstance(kind, type) and issubclass(kind, Section) and isinstance(fields, dict):
        return kind.rename(fields)
    return fields


def _with(fields: dict[str, Any], parts: list[str], value: Any) -> dict[str, Any]:
    inner = value if len(parts) == 1 else _with(_table(fields.get(parts[0])), parts[1:], value)
    return {**fields, parts[0]: inner}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _value(text: str) -> Any:
    """Parse a TOML value (numbers, true, lists, quoted strings); anything else is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"unknown field {field}; {_hint(first['loc'])}{more}"
    if first["type"] == "missing":
        return f"field {field} is missing{more}"
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    return f"{field + ': ' if field else ''}{reason}{more}"


def _hint(location: tuple[int | str, ...]) -> str:
    """Suggest the known field nearest to an unknown one, in its section first, then in all sections."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        annotation = section.model_fields[str(part)].annotation
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        section = annotation
    name = str(location[-1])
    prefix = "".join(f"{part}." for part in location[:-1])
    in_section = {field: f"{prefix}{field}" for field in section.model_fields}
    in_all = {
        field: f"{table}.{field}"
        for table, info in Recipe.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
        for field in info.annotation.model_fields
    }
    for known in (in_section, in_all):
        found = nearest(name, known)
        if found is not None:
            return f"did you mean {known[found]!r}?"
    return f"{prefix.rstrip('.') or 'a recipe'} has {', '.join(in_section)}"


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the resolved recipe with all defaults, so that ``load_recipe`` restores it exactly."""
    write_text(path, dumps(recipe.model_dump(mode="json")))


def differences(first: Recipe, second: Recipe) -> list[str]:
    """Dotted names of the fields in which two recipes differ."""
    return _differences(first.model_dump(), second.model_dump(), "")


def _differences(first: dict[str, Any], second: dict[str, Any], prefix: str) -> list[str]:
    found = []
    for name in first | second:
        a, b = first.get(name), second.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{name}.")
        elif a != b:
            found.append(f"{prefix}{name}")
    return found
