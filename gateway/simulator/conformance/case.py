"""What a case is, and what can come of it.

A case is one sentence about what a client must see. Its name is the sentence, its docstring says
what IB documents, with a line `Source: ...`; its body talks to a gateway and returns nothing, or
raises `Differs`. The same body is run against the simulator and against a real paper account.

    chapter = Chapter("executions", Kind.READ)

    @chapter.case(Need.OPEN_MARKET)
    async def executions_come_before_their_end(talk: Talk) -> None:
        \"\"\"...\"\"\"
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.simulator.conformance.talk import Talk

SOURCE = "Source:"


class Kind(StrEnum):
    """What a case may do to the account."""

    READ = "read"
    """It only asks."""
    TRADE = "trade"
    """It places orders, and is run only when somebody asked for that."""


class Need(StrEnum):
    """What must be so for a case to say anything; where it is not, the case is skipped."""

    OPEN_MARKET = "the market of the symbol is open"
    CLOSED_MARKET = "the market of the symbol is closed"
    QUOTES = "market data of the symbol, live or delayed"
    LIVE_QUOTES = "live market data of the symbol"
    HISTORY = "historical bars of the symbol"
    ORDERS = "the API is not set to read-only"
    SHORT_SALES = "the symbol can be sold short"
    FX = "the account may trade currencies at IDEALPRO"


class Outcome(StrEnum):
    """What came of a case."""

    PASSED = "passed"
    DIFFERS = "differs"
    KNOWN = "differs as known"
    SKIPPED = "skipped"
    ERROR = "error"


class Differs(Exception):
    """The gateway did something else than it must. Both in words that a person understands."""

    def __init__(self, expected: str, heard: str) -> None:
        super().__init__(f"expected {expected}; heard {heard}")
        self.expected = expected
        self.heard = heard


class Unsuited(Exception):
    """The case cannot be told here: no permission, no data, no shares to borrow. Says which."""


Body = Callable[["Talk"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence about what a client must see."""

    name: str
    kind: Kind
    needs: tuple[Need, ...]
    body: Body
    tells: str
    """What IB documents."""
    source: str
    """Where."""
    chapter: str
    seconds_max: float = 60
    """A body that is not done by then is an error."""


@dataclass(slots=True)
class Chapter:
    """Cases about one subject: one module of them."""

    name: str
    kind: Kind = Kind.READ
    cases: list[Case] = field(default_factory=list)

    def case(self, *needs: Need, seconds_max: float = 60) -> Callable[[Body], Body]:
        """Make a case of a coroutine function. Raises ValueError if it names no source."""

        def take(body: Body) -> Body:
            name: str = getattr(body, "__name__", "")
            tells, found, source = inspect.cleandoc(body.__doc__ or "").rpartition(SOURCE)
            if not found or not tells.strip() or not source.strip():
                raise ValueError(f"the case {name} does not say what IB documents and where")
            words, where = " ".join(tells.split()), " ".join(source.split())
            self.cases.append(
                Case(name, self.kind, needs, body, words, where, self.name, seconds_max)
            )
            return body

        return take


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case in one run.

    `observations` are what was seen on the way, in words without numbers that change from run to
    run: so two runs that both passed can still be told apart.
    """

    name: str
    outcome: Outcome
    expected: str = ""
    heard: str = ""
    reason: str = ""
    observations: tuple[str, ...] = ()
