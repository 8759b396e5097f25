"""The progress of a subcommand, on a terminal."""

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def progress(total: int | None, unit: str, several: bool = True) -> "AbstractContextManager[Any]":
    """A bar with the rate and the time that remains, to be updated with the number of what is done.

    Args:
        total: how many there are, if that is known.
        unit: what there are, in the singular.
        several: whether there are several; without, and where stderr is no terminal, nothing shows.
    """
    if not (several and sys.stderr.isatty()):
        return contextlib.nullcontext(Silent())
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, leave=False, dynamic_ncols=True)


class Silent:
    """In the place of a progress bar."""

    def update(self, count: int) -> None:
        """Show nothing."""


def apart_from_the_bar() -> "AbstractContextManager[None]":
    """Lines are written above the progress bar, if there is one."""
    tqdm = sys.modules.get("tqdm")  # imported where there is
    return contextlib.nullcontext() if tqdm is None else tqdm.tqdm.external_write_mode()
