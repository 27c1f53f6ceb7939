"""``python -m facepipe``."""

from facepipe.cli.main import main

# Processes that a command starts import this module again.
if __name__ == "__main__":
    main()
