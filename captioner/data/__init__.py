"""Photographs, words and data sets: what a model reads, before it is a tensor."""
