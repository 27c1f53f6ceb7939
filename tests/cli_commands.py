"""All commands of facepipe with what they declare, and command lines made of that: a new command is in every table."""

import click

from facepipe.cli.door import Door
from facepipe.cli.main import COMMANDS


def _commands(group=None, name=""):
    if group is None:
        for name in COMMANDS:
            yield from _commands(COMMANDS[name], name)
    elif isinstance(group, click.Group):
        context = click.Context(group)
        for inner in group.list_commands(context):
            yield from _commands(group.get_command(context, inner), f"{name} {inner}")
    else:
        yield name, group


ALL = dict(_commands())
"""Name → click command, the protocols too."""
DOORS = {name: getattr(command.callback, "door", Door((), ())) for name, command in ALL.items()}
"""Name → what the command reads and writes."""


def words(name, given, other):
    """A command line in which parameters have the values that are given, and what else must have one has ``other``."""
    line = name.split()
    for parameter in ALL[name].params:
        value = given.get(parameter.name)
        if isinstance(parameter, click.Argument):
            if value is not None or parameter.required:
                line += [value or other] * max(parameter.nargs, 1)
        elif value is not None:
            line += [parameter.opts[0], value]
        elif parameter.required:
            line += [parameter.opts[0], other]
    return line
