"""Photographs, words and data sets, before they become tensors."""
