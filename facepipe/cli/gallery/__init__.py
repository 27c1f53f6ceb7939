"""What the commands of ``facepipe gallery`` share."""
