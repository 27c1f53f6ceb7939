"""What is asked for by name: losses, networks, heads, scores, protocols, commands and others, one registry each.

A `Registry` may have folders: every file in them registers its entries when it is imported, and all are imported when
the registry is first asked, so that a new entry is a new file and nothing else. In a `FileRegistry` a file *is* an
entry and its name that of the entry, so that listing them imports nothing.

An installed package adds an entry through an entry point of the registry's group, which has the name of the entry. For
a `Registry`, importing what it points at registers the entry, as importing facepipe's own modules does; for a
`FileRegistry` it points at the entry itself:

    [project.entry-points."facepipe.losses"]
    my_loss = "my_package.my_loss"

    [project.entry-points."facepipe.commands"]
    my-command = "my_package.my_command:command"
"""

from facepipe.registry.file_registry import FileRegistry
from facepipe.registry.registry import Registry

__all__ = ["FileRegistry", "Registry"]
