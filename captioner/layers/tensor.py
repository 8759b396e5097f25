"""Types for the annotations of layers."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # a tensor of the current backend, or a NumPy array
Shape: TypeAlias = tuple[int | None, ...]
