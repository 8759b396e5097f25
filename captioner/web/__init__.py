"""Captions and answers over HTTP: a page for people, JSON for programs."""
