"""The progress of a subcommand, on a terminal."""

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def progress(total: int | None, unit: str, several: bool = True) -> "AbstractContextManager[Any]":
    """A progress bar with the rate and the remaining time.

    Args:
        total: the number of units, if known.
        unit: name of the unit, singular.
        several: whether to show the bar if stderr is a terminal.
    """
    if not (several and sys.stderr.isatty()):
        return contextlib.nullcontext(Silent())
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, leave=False, dynamic_ncols=True)


class Silent:
    """A progress bar that shows nothing."""

    def update(self, count: int) -> None:
        """Do nothing."""


def apart_from_the_bar() -> "AbstractContextManager[None]":
    """Print lines above the progress bar, if there is one."""
    tqdm = sys.modules.get("tqdm")  # imported only with a bar
    return contextlib.nullcontext() if tqdm is None else tqdm.tqdm.external_write_mode()
