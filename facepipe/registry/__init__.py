"""Registries of named things: losses, networks, heads, scores, protocols, commands and others.

A `Registry` may have folders: every file in them registers its entries when imported, and all are imported when the
registry is first used, so adding an entry takes only a new file. In a `FileRegistry` each file *is* an entry of the
same name, so listing the names imports nothing.

An installed package adds an entry through an entry point of the registry's group, with the entry's name. For a
`Registry`, importing the entry point's module registers the entry, as for facepipe's own modules; for a
`FileRegistry`, the entry point refers to the entry itself:

    [project.entry-points."facepipe.losses"]
    my_loss = "my_package.my_loss"

    [project.entry-points."facepipe.commands"]
    my-command = "my_package.my_command:command"
"""

from facepipe.registry.file_registry import FileRegistry
from facepipe.registry.registry import Registry

__all__ = ["FileRegistry", "Registry"]
