"""How a model writes."""
