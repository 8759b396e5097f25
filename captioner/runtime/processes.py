"""Values that belong to one process."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that each process creates for itself, such as threads or locks.

    A forked process has no threads of its parent, and would wait for them forever.

    Args:
        make: creates the value. Called at once, and at first use after a fork.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._process, self._value = os.getpid(), make()

    def __call__(self) -> T:
        """The value in this process."""
        if self._process != os.getpid():
            self._process, self._value = os.getpid(), self._make()
        return self._value
