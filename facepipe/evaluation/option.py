"""How the command line asks for a parameter of a protocol's function, which is ``Annotated[TYPE, Option(...)]``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """An option of the parameter's name and type; without a default it is required.

    Parameters that several protocols have need none: ``rule``, ``score``, ``on_miss``, ``fars``, ``damage``, ``pool``,
    ``form``, ``recipe`` and ``source`` have the options that are usual for these names.

    Attributes:
        help: what it is.
        choices: what it may be.
        least: of an integer.
        flag: its name, where that is not the parameter's.
        argument: it is the first argument, and called so in the help.
    """

    help: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    flag: str = ""
    argument: str = ""
