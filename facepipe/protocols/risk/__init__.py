"""What a confidence is worth."""
