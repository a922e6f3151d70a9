"""Waiting for the broker: for each answer with a deadline, and not for one after the other of many.

And what asking can come to instead of an answer.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from gateway.core.bars_pacing import OPEN_MAX
from gateway.core.ib_hearing import Hearing
from gateway.core.silence import Silence

LOOK_AT_IB: Final = "if it stays so, look at the IB Gateway and at IB's system status"

COMES_BACK: Final = "it is dialled anew by itself; if it stays away, look whether it is logged in"


class BrokerUnavailable(Exception):
    """Not connected, or no answer in time. What became of the request is unknown."""


class NotSent(BrokerUnavailable):
    """Nothing was written to the broker, for certain; the same may be tried again."""


class Unanswered(BrokerUnavailable):
    """No answer in time. The line may be well."""


class NotAsked(Unanswered):
    """Those just before had no answer, so nothing was asked; later it will be."""


class Paced(BrokerUnavailable):
    """IB lets no more bars be asked for now; the text says until when. Nothing was asked."""


class ClientIdTaken(BrokerUnavailable):
    """Another connection to the gateway holds the client id (error 326)."""


class Unresolved(ValueError):
    """A description that does not lead to exactly one tradable contract; the text says why."""


class Refused(Exception):
    """IB refused a request, with an error code and a text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


async def side_by_side[K, V](ask: Callable[[K], Awaitable[V]], asked: Iterable[K]) -> dict[K, V]:
    """What `ask` makes of each, as many at a time as IB answers: so silence costs one deadline."""
    open_questions = asyncio.Semaphore(OPEN_MAX)
    different = list(dict.fromkeys(asked))

    async def answer(one: K) -> V:
        async with open_questions:
            return await ask(one)

    answers = await asyncio.gather(*map(answer, different))
    return dict(zip(different, answers, strict=True))


class Patience:
    """How long answers over one line are waited for, and what kinds of question find none."""

    def __init__(self, hearing: Hearing, request_timeout_seconds: float) -> None:
        self._hearing = hearing
        self._seconds = request_timeout_seconds
        self._silences: defaultdict[str | tuple[str, str], Silence] = defaultdict(Silence)
        """By kind, and by kind and what is asked about."""

    async def answer(self, answer: Awaitable[Any], seconds: float = 0, name: str = "") -> Any:
        """The answer. Raises `Unanswered`, `Refused`, and `BrokerUnavailable` for a broken line."""
        limit = seconds or self._seconds
        try:
            async with asyncio.timeout(limit):
                return await answer
        except TimeoutError:
            notice = self._hearing.last_notice
            last = f"; the last notice was: {notice}" if notice else ""
            asked = f" to the question for {name}" if name else ""
            raise Unanswered(f"no answer within {limit:g} s{asked}{last}; {LOOK_AT_IB}") from None
        except ConnectionError as error:
            raise BrokerUnavailable(f"the line to the IB Gateway broke; {COMES_BACK}") from error

    def check(self, kind: str, about: str) -> None:
        """Raise `NotAsked` where nothing of a kind is to be asked for now, or not about this."""
        for what, key in ((kind, kind), ("it", (kind, about))):
            silence = self._silences.get(key, Silence())
            left = silence.seconds_left(_seconds())
            if left:
                raise NotAsked(
                    f"not asked, for the last {silence.unanswered} questions for {what} had no "
                    f"answer; {what} can be asked for again in {left:.0f} s; {LOOK_AT_IB}"
                )

    async def one_of_many(
        self, kind: str, about: str, answer: Awaitable[Any], seconds: float = 0
    ) -> Any:
        """The answer to one question of a kind, which tells whether the kind is answered at all.

        Before it is asked, `check`.
        """
        asked_at = _seconds()
        try:
            told = await self.answer(answer, seconds)
        except Unanswered:
            for key, each in ((kind, about), ((kind, about), f"{asked_at}")):
                self._silences[key] = self._silences[key].after_none(each, asked_at, _seconds())
            raise
        except Refused:
            self._hear(kind, about)
            raise
        self._hear(kind, about)
        return told

    def _hear(self, kind: str, about: str) -> None:
        """One was answered, be it by a refusal."""
        self._silences[kind] = self._silences[kind].after_answer(_seconds())
        self._silences.pop((kind, about), None)


def _seconds() -> float:
    """The time that deadlines go by."""
    return asyncio.get_running_loop().time()
