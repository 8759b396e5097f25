"""Errors of files that are left as they are."""


class Refused(ValueError):
    """Content that cannot be read or changed safely: says why, and names no file."""


class DescriptionError(ValueError):
    """A file that no description can be written to: names it and what to do."""
