"""Changes of a text, told from flicker."""


class Changes:
    """Decides which texts of a sequence are changes.

    The first text counts at once. A later one counts if it differs from the last one that counted
    and has come several times in a row.

    Args:
        agreeing: the number of times in a row.
    """

    def __init__(self, agreeing: int) -> None:
        self._agreeing = agreeing
        self._counted: str | None = None
        self._last: str | None = None
        self._times = 0

    def is_new(self, text: str) -> bool:
        """Whether the next text of the sequence is a change."""
        self._times = self._times + 1 if text == self._last else 1
        self._last = text
        flickers = self._counted is not None and self._times < self._agreeing
        if text == self._counted or flickers:
            return False
        self._counted = text
        return True
