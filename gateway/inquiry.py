"""What can be asked of the broker over one line, each question with a deadline.

No word of ib_async's is spoken here: `Line` is what `gateway.line` makes of it. An inquiry lives
and dies with its line.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from gateway.core import bars_pacing, ib_terms, ib_values, ib_words
from gateway.core.bars_pacing import Asked
from gateway.core.broker import (
    AccountValues,
    MarginPreview,
    OrderReport,
    Quote,
    Reading,
    Terms,
    masked,
)
from gateway.core.ib_bars import bar_length, day_ends, finished_bars
from gateway.core.ib_hearing import Hearing, Known
from gateway.patience import (
    LOOK_AT_IB,
    BrokerUnavailable,
    NotSent,
    Paced,
    Patience,
    Refused,
    Unanswered,
    Unresolved,
)
from schemas.documents import BrokerPosition, ExecutionDocument, OrderDocument
from schemas.messages import Bars
from schemas.new_york import new_york_date
from schemas.values import BarSpec, Contract, Mode

log = logging.getLogger(__name__)

READ_ATTEMPTS: Final = 5
"""A reading takes some 10 ms; five in a row disturbed by fills mean that now is no good time."""

POSITIONS: Final = "positions"
OPEN_ORDERS: Final = "open orders"
COMPLETED_ORDERS: Final = "completed orders"
CURRENT_TIME: Final = "the time"

IB_IS_AWAY: Final = f"the IB Gateway has lost its own line to IB; {LOOK_AT_IB}"

DETAILS: Final = "contracts"
BARS: Final = "bars"
"""Kinds of question that an errand asks many of, one for each contract."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Where the gateway is and how long to wait. Deadlines are wall time, whatever `now` says."""

    host: str
    port: int
    client_id: int
    """Above 0, for client 0 adopts manual orders. Fixed, for only it may cancel what it placed."""
    connect_timeout_seconds: float = 15
    """A gateway that answers at all does so within 3 s; a hanging one never does."""
    request_timeout_seconds: float = 10
    """IB answers within a second; ib_async itself may hold a request back for some."""
    bars_timeout_seconds: float = 60
    """IB paces historical data, and gives up after this time itself."""
    quote_timeout_seconds: float = 12
    """IB ends a snapshot after 11 s when a price is missing."""
    gateway_zone: str = "America/New_York"
    """The zone of times that name none that we know; the gateway's container is set to it."""
    delayed_data_allowed: bool = False
    """Ask for delayed prices where there is no subscription; `Quote.delayed` then says so."""
    mode: Mode = Mode.PAPER
    """Whose accounts and ports are right (`gateway.safety`)."""
    live_account_accepted: str = ""
    """The account that live may trade with; needed there, and unused in paper."""

    def __post_init__(self) -> None:
        if self.client_id <= 0:
            raise ValueError(f"client_id must be above 0, not {self.client_id}")


class Line(Protocol):
    """One connection: writes requests, and keeps the futures of their answers.

    A future fails with `Refused`, or with `ConnectionError` when the line breaks.
    """

    hearing: Hearing

    def is_up(self) -> bool:
        """Whether requests can be written."""

    def room(self) -> int:
        """Messages that may be written now and are on the wire at once, in no queue [W2]."""

    def abandon(self, reason: str) -> None:
        """Close at once, and tell why."""

    def server_version(self) -> int:
        """What version of IB's protocol is spoken."""

    def start(self) -> tuple[int, asyncio.Future[Any]]:
        """A number for a request to be written, and the future of its answer."""

    def question(self, name: str) -> asyncio.Future[Any]:
        """Ask for positions, open or completed orders, which carry no number."""

    def warning(self, request_id: int) -> str:
        """What IB warned about a request, once."""

    def ask_details(self, request_id: int, contract: Contract) -> None:
        """Ask what a description means."""

    def ask_rule(self, rule_id: int) -> asyncio.Future[Any]:
        """Ask for a market rule, which carries no number either: one at a time of each rule."""

    def ask_bars(self, request_id: int, contract: Contract, spec: BarSpec) -> None:
        """Ask for bars up to now."""

    def want_delayed(self, allowed: bool) -> None:
        """From now on want delayed prices where there is no subscription, or none."""

    def withdraw_bars(self, request_id: int) -> None:
        """Want them no longer."""

    def ask_quote(self, request_id: int, contract: Contract) -> None:
        """Ask for a snapshot of the market."""

    def withdraw_quote(self, request_id: int) -> None:
        """Want it no longer."""

    def ask_executions(self, request_id: int) -> None:
        """Ask for the day's executions of all clients."""

    def ask_account(self, request_id: int, account: str) -> None:
        """Subscribe to the account's values."""

    def withdraw_account(self, request_id: int) -> None:
        """End that subscription."""

    def ask_margin(self, request_id: int, order: OrderDocument, account: str) -> None:
        """Ask what an order would do to the margin."""


class Inquiry:
    """Everything that is asked over one line."""

    def __init__(
        self, line: Line, settings: SessionSettings, known: Known, now: Callable[[], datetime]
    ) -> None:
        self._line = line
        self._settings = settings
        self._known = known
        self._now = now
        self._one_reading = asyncio.Lock()
        self._one_of_rule: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._patience = Patience(line.hearing, settings.request_timeout_seconds)

    async def resolve(self, contract: Contract) -> Contract:
        """See `gateway.session.Session.resolve`."""
        known = self._known.contracts.get(contract)
        if known is not None:
            return known
        details = await self._details(contract)
        try:
            resolved = ib_values.resolved_contract(contract, details)
        except ValueError as error:
            raise Unresolved(f"{ib_values.described(contract)} {error}") from error
        self._known.remember_contract(contract, resolved)
        return resolved

    async def chain(self, contract: Contract) -> tuple[Contract, ...]:
        """See `gateway.session.Session.chain`. Asked each time: tomorrow it may be another one."""
        today = f"{new_york_date(self._now()):%Y%m%d}"
        found = await self._all_details(contract)
        try:
            return ib_values.chain(contract, found, today)
        except ValueError as error:
            raise Unresolved(f"{ib_values.described(contract)} {error}") from error

    async def terms(self, contract: Contract) -> Terms:
        """See `gateway.session.Session.terms`."""
        contract = contract if contract.con_id else await self.resolve(contract)
        self._known.forget_terms_before(new_york_date(self._now()))
        known = self._known.terms.get(contract)
        if known is not None:
            return known
        details = await self._details(_by_con_id(contract))
        rule_id = ib_terms.rule_id(details, contract.exchange)
        rule = () if rule_id is None else await self._patience.answer(self._rule(rule_id))
        terms, complaints = ib_terms.terms(contract, details, rule, self._now())
        for complaint in complaints:
            log.warning("%s: %s", ib_values.described(contract), complaint)
        self._known.terms[contract] = terms
        return terms

    async def _details(self, contract: Contract) -> Any:
        """The details of the one contract that a description means. Raises `Unresolved`."""
        found = await self._all_details(contract)
        try:
            return ib_values.only_details(contract, found)
        except ValueError as error:
            raise Unresolved(f"{ib_values.described(contract)} {error}") from error

    async def _all_details(self, contract: Contract) -> Sequence[Any]:
        """The details of all that a description means; `Unresolved` where IB says that it is wrong.

        Any other refusal says that nobody can tell now, and is no fault of who described it.
        """
        about = repr(contract)
        try:
            self._patience.check(DETAILS, about)
            request_id, answer = self._line.start()
            self._line.ask_details(request_id, contract)
            found: Sequence[Any] = await self._patience.one_of_many(DETAILS, about, answer)
        except Refused as error:
            if error.code in ib_words.WRONG_DESCRIPTIONS:
                raise Unresolved(f"{_sentence(contract, error)}; correct the contract") from error
            raise BrokerUnavailable(f"{_sentence(contract, error)}; {LOOK_AT_IB}") from error
        except Unanswered as error:
            raise type(error)(f"{ib_values.described(contract)}: {error}") from None
        return found

    async def _rule(self, rule_id: int) -> ib_terms.Increments:
        """The bands of a market rule; contracts that share it ask once."""
        async with self._one_of_rule[rule_id]:
            known = self._known.rules.get(rule_id)
            if known is None:
                known = ib_terms.market_rule(await self._line.ask_rule(rule_id))
                self._known.rules[rule_id] = known
            return known

    async def bars(self, contract: Contract, spec: BarSpec) -> Bars:
        """See `gateway.session.Session.bars`."""
        bar_length(spec.size)
        contract = await self.resolve(contract)
        about = repr(contract)
        self._patience.check(BARS, about)
        self._count_bars(contract, spec)
        request_id, answer = self._line.start()
        self._line.ask_bars(request_id, contract, spec)
        try:
            limit = self._settings.bars_timeout_seconds
            told = await self._patience.one_of_many(BARS, about, answer, limit)
        except Refused as error:
            _check_unpaced(contract, error)
            _check_no_data(contract, error, {ib_words.NO_HISTORY})
            told = []
        except BrokerUnavailable:
            if self._line.is_up():
                self._line.withdraw_bars(request_id)
            raise
        ends = day_ends(contract, regular_hours_only=spec.regular_hours_only)
        until = self._known.bars_until(self._now())
        return finished_bars(contract, spec.size, map(ib_values.bar, told), until, ends)

    def _count_bars(self, contract: Contract, spec: BarSpec) -> None:
        """Raise `Paced` for a question that IB would refuse now, else let it count."""
        known, asked = self._known, Asked(self._now(), contract.con_id, spec)
        free_at = bars_pacing.free_at(known.bars_asked, asked)
        if free_at > asked.at:
            raise Paced(
                f"{ib_values.described(contract)}: IB takes no more questions for bars of "
                f"{spec.size} before {free_at:%H:%M:%S} UTC; ask for fewer, larger or later ones"
            )
        known.bars_asked = bars_pacing.counted(known.bars_asked, asked)

    async def quote(self, contract: Contract) -> Quote:
        """See `gateway.session.Session.quote`."""
        contract = await self.resolve(contract)
        request_id, answer = self._line.start()
        self._line.hearing.watch(request_id)
        self._line.ask_quote(request_id, contract)
        ended = False
        try:
            ended = await self._patience.answer(answer, self._settings.quote_timeout_seconds)
        except Refused as error:
            ended = True
            _check_no_data(contract, error, ib_words.NO_MARKET_DATA)
        except BrokerUnavailable:
            # A slow quote is what it told so far; a broken line is none.
            if not self._line.is_up():
                raise
        finally:
            ticks, delayed = self._line.hearing.unwatch(request_id)
            if not ended and self._line.is_up():
                self._line.withdraw_quote(request_id)
        return ib_words.quote(contract, self._now(), ticks, delayed)

    async def what_if(self, order: OrderDocument, account: str) -> MarginPreview:
        """See `gateway.session.Session.what_if`."""
        request_id, answer = self._line.start()
        self._line.ask_margin(request_id, order, account)
        try:
            state = await self._patience.answer(answer)
        except Refused as error:
            return MarginPreview(refusal=str(error))
        except BrokerUnavailable:
            warning = self._line.warning(request_id)
            if not warning:
                raise
            return MarginPreview(warning=warning)
        return ib_values.margins(state, self._line.warning(request_id))

    async def read(self, account: str) -> Reading:
        """See `gateway.session.Session.read`."""
        hearing = self._line.hearing
        async with self._one_reading:
            before = await self._positions(account)
            for _ in range(READ_ATTEMPTS):
                changes = hearing.changes
                reading = await self._reading(account, before)
                after = await self._positions(account)
                if not hearing.ib_is_up:
                    raise BrokerUnavailable(IB_IS_AWAY)
                if _quantities(before) == _quantities(after) and hearing.changes == changes:
                    hearing.has_read = True
                    return reading
                before = after
        raise BrokerUnavailable(
            f"positions changed, or something was lost, during each of {READ_ATTEMPTS} readings; "
            f"say it again when the account trades less"
        )

    async def open_orders(self) -> tuple[OrderReport, ...]:
        """See `gateway.session.Session.open_orders`."""
        async with self._one_reading:
            return ib_words.still_open(await self._question(OPEN_ORDERS))

    async def time(self) -> datetime:
        """See `gateway.session.Session.time`."""
        async with self._one_reading:
            told: Any = await self._question(CURRENT_TIME)
            at: datetime = told
            return at

    async def _reading(self, account: str, positions: Mapping[int, BrokerPosition]) -> Reading:
        """What lies between two questions for positions, asked for at once.

        Only the completed orders come after the open ones: an order that ends in between is told.
        """
        executions, orders, values = await asyncio.gather(
            self._executions(),
            self._orders(),
            self._account_values(account),
            return_exceptions=True,  # a question that nobody waits for any more costs the line
        )
        open_orders, completed_orders = _answer(orders)
        return Reading(
            at=self._now(),
            values=_answer(values),
            positions=tuple(positions.values()),
            open_orders=open_orders,
            completed_orders=completed_orders,
            executions=tuple(map(self._line.hearing.with_commission, _answer(executions))),
        )

    async def _executions(self) -> Sequence[ExecutionDocument]:
        request_id, answer = self._line.start()
        self._line.ask_executions(request_id)
        try:
            told: Sequence[ExecutionDocument] = await self._patience.answer(answer)
        except Refused as error:
            raise BrokerUnavailable(f"executions: {error}; {LOOK_AT_IB}") from error
        return told

    async def _orders(self) -> tuple[tuple[OrderReport, ...], tuple[OrderReport, ...]]:
        """The open ones, then the completed ones."""
        open_orders = ib_words.still_open(await self._question(OPEN_ORDERS))
        return open_orders, tuple(await self._question(COMPLETED_ORDERS))

    async def _positions(self, account: str) -> Mapping[int, BrokerPosition]:
        told_of_all = await self._question(POSITIONS)
        last = {told.contract.conId: told for told in told_of_all if told.account == account}
        return {
            con_id: ib_values.position(self._known.ours, told)
            for con_id, told in last.items()
            if told.position
        }

    async def _account_values(self, account: str) -> AccountValues:
        request_id, answer = self._line.start()
        self._line.ask_account(request_id, account)
        try:
            return ib_words.account_values(account, await self._patience.answer(answer))
        except (ValueError, Refused) as error:
            raise BrokerUnavailable(f"account {masked(account)}: {error}") from error
        finally:
            if self._line.is_up():
                self._line.withdraw_account(request_id)

    async def _question(self, name: str) -> Sequence[Any]:
        """The answer to a question without a number; without one, the line is given up."""
        try:
            told: Sequence[Any] = await self._patience.answer(self._line.question(name), name=name)
        except BaseException:
            self._line.abandon(f"the question for {name} was left unanswered")
            raise
        return told


def _answer[T](told: T | BaseException) -> T:
    if isinstance(told, BaseException):
        raise told
    return told


def _quantities(positions: Mapping[int, BrokerPosition]) -> Mapping[int, Decimal]:
    return {con_id: held.quantity for con_id, held in positions.items()}


def _check_unpaced(contract: Contract, refusal: Refused) -> None:
    """Raise `Paced` where IB itself says so: other clients of the gateway count, too."""
    if refusal.code == ib_words.NO_HISTORY and "pacing violation" in str(refusal).lower():
        raise Paced(f"{_sentence(contract, refusal)}; ask again in ten minutes") from refusal


def _check_no_data(contract: Contract, refusal: Refused, codes: Collection[int]) -> None:
    """Return if the code means that there is no data, else raise what it means (trap 15)."""
    sentence = _sentence(contract, refusal)
    if refusal.code == ib_words.NO_CONTRACT:
        raise Unresolved(f"{sentence}; correct the contract") from refusal
    if refusal.code not in codes:
        raise BrokerUnavailable(f"{sentence}; {LOOK_AT_IB}") from refusal
    log.warning("no data: %s", sentence)


def _by_con_id(contract: Contract) -> Contract:
    """The contract by its id alone: its name and its listing may have changed since."""
    return Contract("", contract.sec_type, contract.exchange, contract.currency, contract.con_id)


def _sentence(contract: Contract, refusal: Refused) -> str:
    return f"{ib_values.described(contract)}: {refusal}"


def only_account(accounts: Sequence[str]) -> str:
    """The one account of the login. Raises `BrokerUnavailable` for none or several."""
    if len(accounts) != 1:
        listed = ", ".join(map(masked, accounts))
        raise BrokerUnavailable(
            f"the login has {len(accounts)} accounts ({listed}), not one; "
            f"log in as a user who has only the account to trade"
        )
    return accounts[0]


def check_writable(line: Line) -> None:
    """Raise `NotSent` unless an order written to this line now reaches IB now [R1, W2]."""
    if not line.hearing.ib_is_up:
        raise NotSent(IB_IS_AWAY)
    if not line.hearing.has_read:
        raise NotSent("the broker was not read since the line last changed; say reconcile")
    if line.room() < 1:
        raise NotSent(f"earlier messages still wait to be written; {LOOK_AT_IB}")
