"""Training: from a recipe to a preset."""
