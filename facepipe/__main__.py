"""``python -m facepipe``."""

from facepipe.cli.main import script

# Processes that a command starts import this module again.
if __name__ == "__main__":
    script()
