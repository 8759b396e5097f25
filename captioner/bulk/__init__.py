"""Captions of very many photographs, on one machine or a cluster."""
