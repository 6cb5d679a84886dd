"""How the weights in the box were made; run from the project root."""
