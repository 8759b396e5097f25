"""What belongs to one process."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that each process makes for itself, because threads or locks belong to it.

    A forked process has none of the threads of its parent, and waits for them without end.

    Args:
        make: the value; called at once, and again at first use after a fork.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._process, self._value = os.getpid(), make()

    def __call__(self) -> T:
        """The value in this process."""
        if self._process != os.getpid():
            self._process, self._value = os.getpid(), self._make()
        return self._value
