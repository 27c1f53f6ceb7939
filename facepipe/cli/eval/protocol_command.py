"""Making a protocol's command from its function: options from its parameters, help from its module's docstring."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import click

from facepipe.cli import choices, options
from facepipe.cli.door import door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, crop_options, source_options, source_path
from facepipe.cli.eval.template_options import template_options
from facepipe.cli.screen import print_json
from facepipe.cli.table import show_summary
from facepipe.evaluation.option import Option, option_of

RULE = "protocol_rule"
"""Name of a protocol's parameter ``rule`` in its command, where ``rule`` is the one of --faces."""
_SOURCE = """

PATH may also be a folder of aligned crops with the same names (with --already-aligned; 'facepipe preprocess' writes
one), or a file of embeddings from 'facepipe embed' or --save. Several --model or several PATH form an ensemble."""

Decorator = Callable[[Any], Any]


def protocol_command(name: str, function: Callable[..., Any]) -> click.Command:
    """The click command of a protocol.

    Args:
        name: name of the command.
        function: takes a `facepipe.evaluation.Source` as ``source`` and returns a `facepipe.protocols.Result`.
    """
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    declared = {name: _declared(hints.get(name, str)) for name in parameters}
    crops = declared["source"][1]

    def run(source: Any, as_json: bool, **words: Any) -> None:
        arguments = {"rule" if word == RULE else word: value for word, value in words.items()}
        result = function(source=source, **arguments)
        if as_json:
            print_json(result.to_dict())
        else:
            show_summary(result.summary())

    read = [parameter for parameter, (kind, _) in declared.items() if parameter != "source" and Path in kind]
    decorated: Any = (source_options if crops is None else crop_options)(options.as_json(run))
    decorated = door(SAVE, reads=("paths", *read))(decorated)
    for parameter in reversed(list(parameters.values())):
        decorated = _option(parameter, *declared[parameter.name])(decorated)
    message = inspect.cleandoc(sys.modules[function.__module__].__doc__ or "")
    return click.command(name, help=message + (_SOURCE if crops is None else ""))(decorated)


def _declared(hint: Any) -> tuple[tuple[Any, ...], Option | None]:
    """The types of a parameter, and its `Option` if any."""
    said = option_of(hint)
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return get_args(hint) or (hint,), said


def _option(parameter: inspect.Parameter, kind: tuple[Any, ...], said: Option | None) -> Decorator:
    if said is None:
        return _shared(parameter)
    if said.argument:
        return click.argument(parameter.name, metavar=said.argument, type=_type(kind, said))
    words: dict[str, Any] = {"help": said.help, "type": _type(kind, said)}
    if parameter.name == "source":
        return click.option(f"--{said.flag}", "paths", multiple=True, help=said.help, type=_PATH)
    if kind == (bool,):
        words = {"help": said.help, "is_flag": True}
    elif parameter.default is parameter.empty:
        words["required"] = True
    elif parameter.default is not None:
        words |= {"default": parameter.default, "show_default": True}
    flag = said.flag or parameter.name.replace("_", "-")
    return click.option(f"--{flag}", RULE if parameter.name == "rule" else parameter.name, **words)


def _shared(parameter: inspect.Parameter) -> Decorator:
    """The option of a parameter shared by several protocols."""
    if parameter.name == "rule":
        return verification.accuracy_rule(parameter.default, RULE)
    if parameter.name == "recipe":
        weighted = parameter.default is None or parameter.default.feature_norm
        return template_options(weights=weighted)
    return _SHARED[parameter.name]


_PATH = click.Path(path_type=Path)
_SHARED: dict[str, Decorator] = {
    "source": source_path,
    "form": verification.form,
    "score": choices.score,
    "pool": choices.pooling,
    "on_miss": verification.on_miss,
    "fars": verification.fars,
    "damage": verification.damage,
}


def _type(kind: tuple[Any, ...], said: Option) -> Any:
    if said.choices:
        return click.Choice(said.choices)
    if Path in kind:
        return _PATH
    if int in kind:
        return int if said.least is None else click.IntRange(said.least)
    return options.Number() if float in kind else str
