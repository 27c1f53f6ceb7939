"""What a run measures on people it does not train on."""
