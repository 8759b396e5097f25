"""The base class of the errors that a user can correct."""


class UserError(ValueError):
    """A fault of input. The message is one line: the file or option, the fault, the remedy."""
