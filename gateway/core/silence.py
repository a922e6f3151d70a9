"""When the broker counts as silent for one kind of question, so that nobody waits for each of many.

IB may leave one contract's question unanswered for ever and answer the others beside it: that is
that question's own trouble. Where one after another finds no answer, and none beside them does, the
service behind them is gone, while the line and all else may be well (pysystemtrade #1659: a request
for contract details that hung for three hours).
"""

from dataclasses import dataclass
from math import inf
from typing import Final

UNANSWERED_MAX: Final = 2
"""So many different ones in a row, none of them answered, are silence; one alone, however often it
is asked again, may be about its contract."""

PAUSE_SECONDS: Final = 60.0
"""How long nothing of the kind is asked then. The next one waits for its own deadline again."""

IN_A_ROW_SECONDS: Final = 2 * PAUSE_SECONDS
"""What was left unanswered longer ago than this before the next was asked is not of its row."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What became of the questions of one kind. Times are seconds by any one clock."""

    unanswered: int = 0
    """How many in a row, up to the last one."""
    about: frozenset[str] = frozenset()
    """What these asked about."""
    answered_at: float = -inf
    given_up_at: float = -inf

    def after_answer(self, at: float) -> "Silence":
        """One was answered, be it by a refusal."""
        return Silence(answered_at=at)

    def after_none(self, about: str, asked_at: float, at: float) -> "Silence":
        """One was given up; it counts unless another was answered while it waited."""
        if self.answered_at >= asked_at:
            return self
        before = self if asked_at - self.given_up_at < IN_A_ROW_SECONDS else Silence()
        return Silence(before.unanswered + 1, before.about | {about}, self.answered_at, at)

    def seconds_left(self, at: float) -> float:
        """How long nothing of the kind is to be asked from now on; 0 where it may be."""
        if len(self.about) < UNANSWERED_MAX:
            return 0.0
        return max(self.given_up_at + PAUSE_SECONDS - at, 0.0)
