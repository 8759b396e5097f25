"""What layers compute with, for type checkers, which see into no backend."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # of the backend that runs, or a NumPy array where one is given
Shape: TypeAlias = tuple[int | None, ...]
