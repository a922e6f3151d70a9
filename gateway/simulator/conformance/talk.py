"""What the body of a case gets: a ready client, the account, and the words to ask and to complain.

request_id = talk.new_id()
answer = await talk.ask(q.ContractDetailsRequest(request_id, talk.contract),
                        end="ContractDetailsEnd")
talk.check(len(answer.of("ContractDetails")) == 1, "one contract", answer)
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.simulator.conformance.case import Differs, Unsuited
from gateway.simulator.conformance.client import (
    CLIENT_VERSION_MAX,
    Client,
    Ended,
    Silence,
    Test,
)
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.conformance.pace import Pace
from gateway.simulator.conformance.safety import check_account
from gateway.simulator.market.contracts import Contract

ANSWER_SECONDS = 15.0
FIRST_REQUEST_ID = 9_000_001
"""Far from any order id: order and request ids are one range at IB."""
NO_DATA = {
    354: "no subscription to this market data",
    10089: "this market data needs an additional subscription",
    10090: "part of this market data is not subscribed",
    10168: "no subscription, and delayed data is switched off",
    10186: "no subscription, and delayed data is switched off",
    10189: "no subscription to tick-by-tick data",
    10190: "too many tick-by-tick requests are open",
    10197: "another session of this login has the market data",
    420: "no market data permission",
}
"""Notices that say: this account cannot have that data. A case about it is skipped."""


class Messages(tuple[Heard, ...]):
    """Messages in the order of their arrival."""

    __slots__ = ()

    def of(self, *kinds: str) -> "Messages":
        """Those of these kinds (class names of `gateway.simulator.replies`)."""
        return Messages(item for item in self if item.kind in kinds)

    def about(self, id_: int) -> "Messages":
        """Those about one request or order."""
        return Messages(item for item in self if item.id == id_)

    def where(self, test: Test) -> "Messages":
        """Those that pass a test."""
        return Messages(item for item in self if test(item))

    @property
    def kinds(self) -> list[str]:
        """Their kinds, in order."""
        return [item.kind for item in self]

    @property
    def codes(self) -> list[int]:
        """The codes of the notices among them, in order."""
        return [item.code for item in self if item.code]

    @property
    def replies(self) -> list[Any]:
        """Their values."""
        return [item.reply for item in self]


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about the gateway before the first case."""

    server_version: int = 0
    now: datetime | None = None
    is_open: bool = False
    """Whether the symbol's market is in its liquid hours."""
    closes: datetime | None = None
    """When these end, while it is."""
    has_history: bool = False
    is_read_only: bool = False
    """Whether the gateway refuses to talk about orders (321): a setting of its API page."""
    quotes: str = ""
    """`live`, `delayed`, or empty for none."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and as whom a run talks."""

    host: str
    port: int
    account: str
    symbol: str = "SPY"
    client_id: int = 880
    client_version: int = CLIENT_VERSION_MAX
    order_prefix: str = "conformance-"
    """Every orderRef begins so: what does not is nobody's business here."""


@dataclass(slots=True)
class Talk:
    """One case's conversation. Further clients that it opens are closed for it."""

    setting: Setting
    facts: Facts
    client: Client
    contract: Contract
    """The symbol with its conId, routed to SMART."""
    pace: Pace = field(default_factory=Pace)
    observations: list[str] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    _request_id: int = FIRST_REQUEST_ID
    _order_id: int = 0

    @property
    def account(self) -> str:
        """The paper account."""
        return self.setting.account

    def new_id(self) -> int:
        """A request id that was not used on this connection."""
        self._request_id += 1
        return self._request_id

    def new_order_id(self) -> int:
        """An order id that IB accepts next: above every id we used, from nextValidId on."""
        self._order_id = max(self.client.next_order_id, self._order_id + 1)
        return self._order_id

    def order_ref(self, label: str) -> str:
        """An orderRef that says the order is ours: only such orders are ever cancelled here."""
        return f"{self.setting.order_prefix}{label}"

    def note(self, observation: str) -> None:
        """Record what was seen, without numbers that change from day to day."""
        self.observations.append(observation)

    def check(self, is_right: bool, expected: str, heard: object) -> None:
        """Raises Differs unless it is right. `heard` is messages, or anything that says it."""
        if not is_right:
            raise Differs(expected, said(heard))

    async def tell(self, request: Any) -> int:
        """Send a request; returns the mark in `client.heard` from which its answer begins."""
        since = self.client.mark()
        await self.client.say(request)
        return since

    async def ask(self, request: Any, end: str | Test, seconds: float = ANSWER_SECONDS) -> Messages:
        """Send a request and gather its answer, up to its end or a notice about it.

        `end` is the kind of the last message, or a test for it. A request with an id gets only
        the messages of that id; one without gets all. Raises Differs when no end comes, Unsuited
        when the account has no permission for it.
        """
        id_ = getattr(request, "request_id", None)
        since = await self.tell(request)
        return await self.answer(id_, end, since, seconds)

    async def answer(
        self, id_: int | None, end: str | Test, since: int, seconds: float = ANSWER_SECONDS
    ) -> Messages:
        """What came about an id since a mark, up to its end; see `ask`."""
        last = _ending(id_, end)
        name = end if isinstance(end, str) else "its end"
        with self.expecting(name):
            heard = Messages(await self.client.gather(last, since=since, seconds=seconds))
        mine = heard if id_ is None else heard.about(id_)
        for code in mine.codes:
            if code in NO_DATA:
                raise Unsuited(f"error {code}: {NO_DATA[code]}")
        self.note(story(mine))
        return mine

    async def after(self, answer: Messages, seconds: float) -> Messages:
        """What still comes about the id of an answer that has ended: nothing should."""
        await self.client.listen(seconds)
        last = answer[-1]
        return Messages(self.client.heard[last.place + 1 :]).where(lambda i: i.id == last.id)

    async def listen(self, seconds: float) -> Messages:
        """What comes in the next seconds."""
        return Messages(await self.client.listen(seconds))

    @contextlib.contextmanager
    def expecting(self, what: str) -> Iterator[None]:
        """Within it, silence and a closed connection are `Differs`: `what` did not come."""
        try:
            yield
        except Silence as silence:
            raise Differs(what, f"{silence}; came: {said(silence.heard)}") from None
        except Ended as ended:
            raise Differs(what, str(ended)) from None

    async def connect(self, client_id: int | None = None) -> Client:
        """A further client, ready; by default one with an id of its own."""
        given = self.setting.client_id + 1 + len(self.clients) if client_id is None else client_id
        client = await self.dial()
        with self.expecting("a connection that becomes ready"):
            await client.greet(high=self.setting.client_version)
            await client.start(given)
        for account in client.accounts:
            check_account(account)
        return client

    async def dial(self) -> Client:
        """A further connection on which nothing was said yet."""
        client = await Client.dial(self.setting.host, self.setting.port, self.pace)
        self.clients.append(client)
        return client


def _ending(id_: int | None, end: str | Test) -> Callable[[Heard], bool]:
    def last(item: Heard) -> bool:
        if id_ is not None and item.id != id_:
            return False
        is_end = item.kind == end if isinstance(end, str) else end(item)
        return is_end or (id_ is not None and _refuses(item))

    return last


def _refuses(item: Heard) -> bool:
    """A notice about a request ends it, but for those that announce delayed data or a warning."""
    return bool(item.code) and item.code not in {10167, 399, 2174, 2176}


def story(messages: Sequence[Heard]) -> str:
    """Kinds in order, repeats as `+`, notices by their code: `Position+, PositionEnd`."""
    words: list[str] = []
    for item in messages:
        word = _word(item)
        if words and words[-1].rstrip("+") == word:
            words[-1] = f"{word}+"
        else:
            words.append(word)
    return ", ".join(words) or "nothing"


def said(heard: object) -> str:
    """Messages in short, or whatever else was heard as text."""
    if isinstance(heard, (list, tuple)) and all(isinstance(item, Heard) for item in heard):
        return story(heard)
    return str(heard)


def _word(item: Heard) -> str:
    if item.code:
        return f"Notice {item.code}"
    status = getattr(item.reply, "status", None) or getattr(
        getattr(item.reply, "state", None), "status", None
    )
    return f"{item.kind} {status}" if status else item.kind
