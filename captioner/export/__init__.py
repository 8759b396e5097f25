"""A model in formats that run without Keras."""
