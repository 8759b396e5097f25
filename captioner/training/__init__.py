"""How the weights are made."""
