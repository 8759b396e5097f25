"""Scores with their intervals, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from captioner.evaluation.intervals import LEVEL, Interval


class Score(NamedTuple):
    """A score and its interval, if it has one."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Comparison:
    """The difference of two results files.

    Attributes:
        search: the name of the search.
        against: the other file.
        photographs: the number of photographs in both.
        gains: the difference and its interval, by measure.
    """

    search: str
    against: str
    photographs: int
    gains: Mapping[str, Score]


@dataclass
class Report:
    """The result of an evaluation.

    Attributes:
        scores: by search, then by measure.
        comparison: with another results file, if there was one.
    """

    scores: dict[str, dict[str, Score]]
    comparison: Comparison | None = None

    def __str__(self) -> str:
        """A table of measures by searches, then the comparison."""
        lines = [f"{'':26}" + "".join(f"{name:>27}" for name in self.scores)]
        for measure in dict.fromkeys(chain(*self.scores.values())):
            cells = (_cell(column.get(measure), "") for column in self.scores.values())
            lines.append(f"{measure:26}" + "".join(f"{cell:>27}" for cell in cells))
        lines += ["", f"In brackets: {LEVEL:.0%} intervals, by bootstrap over photographs."]
        if self.comparison is not None:
            lines += ["", *_compared(self.comparison)]
        return "\n".join(lines)


def _compared(comparison: Comparison) -> list[str]:
    count = comparison.photographs
    return [
        f"{comparison.search} less {comparison.against}, of {count} photographs that both have:",
        *(f"{name:26}{_cell(gain, '+'):>27}" for name, gain in comparison.gains.items()),
    ]


def _cell(score: Score | None, sign: str) -> str:
    if score is None:
        return "-"
    ends = (
        "" if score.interval is None else "[{:{s}.4f}, {:{s}.4f}]".format(*score.interval, s=sign)
    )
    return f"{score.value:{sign}.4f} {ends:>19}"
