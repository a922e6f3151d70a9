"""What a line to IB has said so far, and what each further message therefore means.

orderStatus names no order_ref, an error not even the perm_id, a commission may come before its
execution: `Hearing` remembers what it takes to tell each message as one whole value. It keeps no
state of orders: that is the ledger's (`gateway.core.orders`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from gateway.core import ib_values, ib_words
from gateway.core.bars_pacing import Asked
from gateway.core.broker import (
    BrokerEvent,
    BrokerStatus,
    Commission,
    Connection,
    OrderReport,
    Terms,
)
from gateway.core.ib_bars import DELAY
from gateway.core.ib_terms import Increments
from schemas.documents import ExecutionDocument, OrderDocument
from schemas.values import Contract

ORDERS_KNOWN_MAX: Final = 10_000
"""Orders whose names are remembered over reconnects, oldest forgotten first: some years' worth."""

CONTRACTS_KNOWN_MAX: Final = 2_000
"""Resolved contracts kept; forgotten at each connect too, for splits change what a symbol is."""


@dataclass(slots=True)
class Known:
    """What outlives a line: which order a perm_id is, and which contract a description means.

    How contracts trade, and the market rules by their ids, are those of `terms_day`.
    """

    orders: dict[int, OrderReport] = field(default_factory=dict)
    contracts: dict[Contract | int, Contract] = field(default_factory=dict)
    terms: dict[Contract, Terms] = field(default_factory=dict)
    rules: dict[int, Increments] = field(default_factory=dict)
    terms_day: date | None = None
    bars_asked: tuple[Asked, ...] = ()
    is_delayed: bool = False
    """Whether delayed data will do; IB does not say of which bars they are."""

    def remember_order(self, report: OrderReport) -> None:
        """Keep an order's names by its perm_id, which no restart of the gateway changes."""
        self.orders[report.perm_id] = report
        if len(self.orders) > ORDERS_KNOWN_MAX:
            del self.orders[next(iter(self.orders))]

    def remember_contract(self, asked: Contract, resolved: Contract) -> None:
        """Keep what a description means, and the contract by its con_id."""
        if len(self.contracts) >= CONTRACTS_KNOWN_MAX:
            self.contracts.clear()
        self.contracts[asked] = resolved
        self.contracts[resolved] = resolved
        self.contracts[resolved.con_id] = resolved

    def bars_until(self, now: datetime) -> datetime:
        """Up to when bars can be over: delayed data have not reached what ended since."""
        return now - DELAY if self.is_delayed else now

    def forget_terms_before(self, day: date) -> None:
        """Keep no terms of another New York day than this one."""
        if self.terms_day != day:
            self.terms, self.rules, self.terms_day = {}, {}, day

    def ours(self, told: Any) -> Contract:
        """The client library's contract as ours: as it was resolved, if it was."""
        return self.contracts.get(told.conId) or ib_values.contract(told)

    def routed(self, contract: Contract) -> Contract:
        """A contract to be ordered, on the exchange that it was resolved to where it names none.

        IB's positions of futures name none, and IB takes no order without one (321).
        """
        known = self.contracts.get(contract.con_id)
        return contract if contract.exchange or known is None else known


class Hearing:
    """One line's messages, told on as our values through `tell`, in their order.

    `changes` counts what came between us and the broker: `has_read` is False from every one of them
    until somebody has read the broker anew, with none in between.
    `last_notice` is the last thing that the broker said to nobody in particular.
    """

    def __init__(self, client_id: int, known: Known, tell: Callable[[BrokerEvent], None]) -> None:
        self.client_id = client_id
        self.ib_is_up = True
        self.changes = 0
        self.has_read = False
        self.last_notice = ""
        self._known = known
        self._tell = tell
        self._by_id: dict[tuple[int, int], OrderReport] = {}
        self._commissions: dict[str, Commission] = {}
        self._ticks: dict[int, dict[int, float]] = {}
        self._delayed: set[int] = set()

    def expect(self, order: OrderDocument, order_id: int) -> None:
        """An order is about to be written under this id, so that its errors find its name."""
        self._by_id[self.client_id, order_id] = OrderReport(
            order.order_ref,
            BrokerStatus.UNSURE,
            con_id=order.contract.con_id,
            order_id=order_id,
            client_id=self.client_id,
        )

    def routed(self, contract: Contract) -> Contract:
        """See `Known.routed`."""
        return self._known.routed(contract)

    def open_order(self, report: OrderReport) -> OrderReport:
        """An openOrder message: the only one with all of an order's names."""
        self._remember(report)
        self._tell(report)
        return report

    def order_status(self, status: OrderReport) -> OrderReport:
        """An orderStatus message; its names are completed from what is known of the order.

        Foreign orders that no openOrder has named keep an empty order_ref.
        """
        numbers = (status.client_id, status.order_id)
        named = self._known.orders.get(status.perm_id) or self._by_id.get(numbers)
        report = status
        if named is not None:
            report = replace(status, order_ref=named.order_ref, con_id=named.con_id)
            self._remember(report)
        self._tell(report)
        return report

    def _remember(self, report: OrderReport) -> None:
        known = self._known.orders.get(report.perm_id)
        if known is not None and report.filled is None:
            report = replace(report, filled=known.filled)
        if report.order_id > 0:  # orders made by hand all have id 0
            self._by_id[report.client_id, report.order_id] = report
        if report.perm_id:
            self._known.remember_order(report)

    def order_error(self, order_id: int, code: int, text: str) -> bool:
        """An error that may carry an order's id; False if it carries none that is known.

        Before anything else was heard of the order, the error may be the answer to sending it;
        afterwards it may answer a cancel (traps 1 to 3).
        """
        order = self._by_id.get((self.client_id, order_id))
        if order is None:
            return False
        acknowledged = order.perm_id != 0
        status = ib_words.order_error(code, acknowledged)
        self._tell(replace(order, status=status, reason=f"{code} {text}"))
        return True

    def executed(self, contract: Any, execution: Any) -> ExecutionDocument:
        """An execDetails message, live or an answer."""
        return ib_values.execution(self._known.ours, contract, execution)

    def execution(self, told: ExecutionDocument) -> None:
        """A live execution, ours or foreign."""
        self._tell(self.with_commission(told))

    def commission(self, told: Commission | None) -> None:
        """A commission report; it may precede its execution (trap 10).

        Each reading repeats the whole day's: those told before are no news.
        """
        if told is not None and told != self._commissions.get(told.exec_id):
            self._commissions[told.exec_id] = told
            self._tell(told)

    def with_commission(self, execution: ExecutionDocument) -> ExecutionDocument:
        """The execution with its commission, if that was told."""
        paid = self._commissions.get(execution.exec_id)
        if paid is None:
            return execution
        return replace(execution, commission=paid.amount, commission_currency=paid.currency)

    def line_changed(self, connection: Connection) -> None:
        """IB's line behind the gateway broke or came back: read anew before the next order."""
        self.ib_is_up = connection.up
        self.changes += 1
        self.has_read = False
        self._tell(connection)

    def garbled(self) -> None:
        """A message was lost on its way here, and it may have been a fill: read anew."""
        reason = "a message of the broker could not be read"
        self.line_changed(Connection(self.ib_is_up, reason, data_lost=True))

    def watch(self, request_id: int) -> None:
        """Keep the ticks of this snapshot."""
        self._ticks[request_id] = {}

    def delayed_data(self, request_id: int) -> None:
        """The snapshot's prices are delayed."""
        if request_id in self._ticks:
            self._delayed.add(request_id)

    def tick(self, request_id: int, kind: int, price: float) -> bool:
        """One price of a snapshot; True once bid, ask and last are there."""
        ticks = self._ticks.get(request_id)
        if ticks is None:
            return False
        ticks[kind] = price
        return ib_words.is_complete(ticks)

    def unwatch(self, request_id: int) -> tuple[Mapping[int, float], bool]:
        """The snapshot's ticks, and whether they are delayed."""
        delayed = request_id in self._delayed
        self._delayed.discard(request_id)
        return self._ticks.pop(request_id), delayed
