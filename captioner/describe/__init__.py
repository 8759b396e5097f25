"""Descriptions written where other programs look for them."""
