"""The captioner, which also answers questions, and its base class."""
