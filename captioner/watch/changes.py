"""Detection of changes in a sequence of texts, without flicker."""


class Changes:
    """Detects changes in a sequence of texts.

    The first text is a change. A later text is a change if it differs from the last change and has
    appeared `agreeing` times in a row.

    Args:
        agreeing: required number of equal texts in a row.
    """

    def __init__(self, agreeing: int) -> None:
        self._agreeing = agreeing
        self._counted: str | None = None
        self._last: str | None = None
        self._times = 0

    def is_new(self, text: str) -> bool:
        """Add the next text; whether it is a change."""
        self._times = self._times + 1 if text == self._last else 1
        self._last = text
        flickers = self._counted is not None and self._times < self._agreeing
        if text == self._counted or flickers:
            return False
        self._counted = text
        return True
