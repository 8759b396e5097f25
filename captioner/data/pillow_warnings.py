"""Warnings of Pillow about damaged metadata."""

import warnings


def ignore_pillow_warnings() -> None:
    """Ignore the warnings of Pillow: damaged metadata do not affect the pixels."""
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
