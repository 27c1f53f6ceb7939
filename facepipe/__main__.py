"""``python -m facepipe``."""

from facepipe.cli.main import main

main()
