"""Reading, overriding and writing recipes as TOML."""

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
from facepipe.zoo.toml import dumps


class RecipeError(FacepipeError):
    """A recipe is unknown, malformed, or has a field that does not exist."""


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with facepipe, sorted."""
    return shipped_names("recipe")


def shipped_names(kind: str) -> list[str]:
    """Names of what comes with facepipe in ``models/KINDs/*.toml``, sorted."""
    return sorted(path.stem for path in shipped("models", f"{kind}s").glob("*.toml"))


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or a TOML file by path, with ``section.field=value`` overrides laid over it.

    Raises:
        RecipeError: no such recipe, not TOML, or an unknown or impossible field; names file and field.
    """
    path = named_file("recipe", name)
    return parse_recipe(read_toml(path), str(path), overrides)


def named_file(kind: str, name: str) -> Path:
    """The file that ``name`` means: of a shipped recipe, or of another ``kind``, or a path that ends in ``.toml``.

    Raises:
        RecipeError: neither shipped nor a file.
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
    """The values of a TOML file.

    Raises:
        RecipeError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid TOML ({error})") from error


def parse_recipe(fields: dict[str, Any], where: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from parsed TOML; ``where`` is what errors call it.

    An override of ``loss.name`` by another loss takes the loss's options away, so it comes before theirs.

    Raises:
        RecipeError: an unknown or impossible field.
    """
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
        fields = {**fields, "loss": {}}  # the options are of the other loss
    return _with(fields, parts, value)


def _with(fields: dict[str, Any], parts: list[str], value: Any) -> dict[str, Any]:
    inner = value if len(parts) == 1 else _with(_table(fields.get(parts[0])), parts[1:], value)
    return {**fields, parts[0]: inner}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _value(text: str) -> Any:
    """A TOML value where it is one (numbers, true, lists, quoted strings), otherwise the text itself."""
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
    """The known field that is most like an unknown one: in its own section first, then in all."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        annotation = section.model_fields[str(part)].annotation
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        section = annotation
    name = str(location[-1])
    prefix = "".join(f"{part}." for part in location[:-1])
    own = {field: f"{prefix}{field}" for field in section.model_fields}
    everywhere = {
        field: f"{table}.{field}"
        for table, info in Recipe.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
        for field in info.annotation.model_fields
    }
    for known in (own, everywhere):
        found = nearest(name, known)
        if found is not None:
            return f"did you mean {known[found]!r}?"
    return f"{prefix.rstrip('.') or 'a recipe'} has {', '.join(own)}"


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the resolved recipe, all defaults included, so that ``load_recipe`` gives the same again."""
    write_text(path, dumps(recipe.model_dump(mode="json")))


def differences(ours: Recipe, theirs: Recipe) -> list[str]:
    """Dotted names of the fields in which two recipes differ."""
    return _differences(ours.model_dump(), theirs.model_dump(), "")


def _differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str) -> list[str]:
    found = []
    for name in ours | theirs:
        a, b = ours.get(name), theirs.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{name}.")
        elif a != b:
            found.append(f"{prefix}{name}")
    return found
