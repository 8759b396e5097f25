"""Captions of a million photographs: read in parts, written in parts, on one machine or on many."""
