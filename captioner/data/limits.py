"""Limits of the size of photographs and of the memory for decoding."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TooLarge(Exception):
    """A photograph exceeds a limit. The message names the limit."""


class Limits:
    """Limits on one photograph, and on all photographs that are decoded at the same time.

    Args:
        pixels: that a photograph may have.
        memory: bytes that decoding may take, in all threads together. A photograph that needs more
            is refused; one that needs more than is left waits for the others.
    """

    def __init__(self, pixels: int, memory: int) -> None:
        self.pixels, self.memory = pixels, memory
        self._forget()
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Start with nothing reserved: a forked process has none of the threads that reserved."""
        self._used = 0
        self._changed = threading.Condition()

    def check(self, width: int, height: int) -> None:
        """Raise `TooLarge` for a photograph of too many pixels."""
        if width * height > self.pixels:
            raise TooLarge(f"larger than {self.pixels:,} pixels")

    @contextmanager
    def reserve(self, needed: int) -> Iterator[None]:
        """Hold `needed` bytes while a photograph is decoded, when they are free.

        Raises:
            TooLarge: the number is above the limit.
        """
        if needed > self.memory:
            raise TooLarge(
                f"decoding it takes {needed // 10**6:,} MB, more than {self.memory // 10**6:,}"
            )
        with self._changed:
            self._changed.wait_for(lambda: self._used + needed <= self.memory)
            self._used += needed
        try:
            yield
        finally:
            with self._changed:
                self._used -= needed
                self._changed.notify_all()
