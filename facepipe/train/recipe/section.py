"""What every section of a recipe has in common."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A table of the recipe: unknown fields are errors, and values are immutable.

    A field that was renamed is still accepted under its former name, which ``FORMER_NAMES`` maps to the present one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    FORMER_NAMES: ClassVar[dict[str, str]] = {}

    @classmethod
    def rename(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Replace former names by present ones; where both are given the former one stays, and is then unknown."""
        present = {former: name for former, name in cls.FORMER_NAMES.items() if name not in fields}
        return {present.get(name, name): value for name, value in fields.items()}

    @model_validator(mode="before")
    @classmethod
    def _accept_former_names(cls, fields: Any) -> Any:
        return cls.rename(fields) if isinstance(fields, dict) else fields
