"""Answers about the account: values, portfolio, positions, profit and loss, and their updates.

Account values, portfolio and profit go out after every trade and cash event, and while time passes
at most every three virtual minutes, with only what changed: as IB does. Account summaries follow
every three minutes and not on trades. Values are computed once for all who subscribed. Profit and
loss, which IB sends about every second, comes as seldom as the rest: prices here move by bars.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.account.account import Holding
from gateway.simulator.account.margins import CENT, ZERO
from gateway.simulator.account.settlements import Settlements
from gateway.simulator.account.statements import (
    EVERYTHING,
    LEDGER_AND_NET,
    Row,
    Selection,
    Statement,
    statement,
    summary_selection,
)
from gateway.simulator.broker import LONG_AGO, Broker
from gateway.simulator.market.contracts import Contract, unrouted
from gateway.simulator.market.hours import NEW_YORK

UPDATE_INTERVAL = timedelta(minutes=3)
SUMMARIES_MAX = 2
"""Account summaries one client may have at a time; the next one is error 322."""
SUBSCRIPTIONS_MAX = 50
"""Subscriptions of one kind one client may have."""

Key = tuple[int, int]
"""A client and its request."""


@dataclass(slots=True)
class Stream:
    """One subscription to account values: what it wants, and what it was sent last."""

    selection: Selection = EVERYTHING
    sent: Statement | None = None
    items: dict[int, r.PortfolioItem] = field(default_factory=dict)


@dataclass(slots=True)
class ProfitStream:
    """One subscription to profit and loss: of the account, or of one contract."""

    con_id: int | None
    sent: r.PnL | r.PnLSingle | None = None


class AccountDesk:
    """Everything a client can ask about the account."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._settlements = Settlements(broker)
        self._updates: dict[int, Stream] = {}
        self._multis: dict[Key, Stream] = {}
        self._summaries: dict[Key, Stream] = {}
        self._positions: set[int] = set()
        self._position_multis: set[Key] = set()
        self._profits: dict[Key, ProfitStream] = {}
        self._updated_at = LONG_AGO
        self._summarized_at = LONG_AGO
        self._is_stirred = False
        """Whether the account changed since the summaries were told."""
        self._change: tuple[datetime, datetime] | None = None
        self._last: Statement | None = None
        self._contracts: dict[int, tuple[Contract, Contract]] = {}

    def forget(self, client_id: int) -> None:
        """Drop what a disconnected client had subscribed to."""
        self._updates.pop(client_id, None)
        self._positions.discard(client_id)
        self._position_multis = {key for key in self._position_multis if key[0] != client_id}
        streams: tuple[dict[Key, Any], ...] = (self._multis, self._summaries, self._profits)
        for kept in streams:
            for key in [key for key in kept if key[0] == client_id]:
                del kept[key]

    def reach(self, instant: datetime) -> None:
        """Settle futures and begin days up to an instant, before anything else happens at it."""
        for con_id in self._settlements.reach(instant):
            self._tell(con_id)

    def pass_time(self) -> None:
        """Send what changed when it is due."""
        if self._updates_due(self._broker.now) is not None:
            self._send_updates(self._held())
        if self._summaries_due(self._broker.now) is not None:
            self._send_summaries()

    @property
    def has_listeners(self) -> bool:
        """Whether anybody is told of the account as time passes."""
        return bool(self._updates or self._multis or self._profits or self._summaries)

    def next_due(self, until: datetime) -> datetime | None:
        """When somebody is told next, if that is by `until`."""
        dues = (self._updates_due(until), self._summaries_due(until))
        return min((due for due in dues if due is not None), default=None)

    def _updates_due(self, until: datetime) -> datetime | None:
        if not (self._updates or self._multis or self._profits):
            return None
        return self._due(self._updated_at, until)

    def _summaries_due(self, until: datetime) -> datetime | None:
        if not self._summaries:
            return None
        if self._is_stirred:
            due = self._summarized_at + UPDATE_INTERVAL
            return due if due <= until else None
        return self._due(self._summarized_at, until)

    def _due(self, told_at: datetime, until: datetime) -> datetime | None:
        """Three minutes after the last time, and not before the market changes."""
        earliest = told_at + UPDATE_INTERVAL
        if earliest > until:
            return None
        due = max(earliest, self._market_change(told_at))
        return due if due <= until else None

    def _market_change(self, after: datetime) -> datetime:
        """When anything changes that the account is valued by."""
        if self._change is None or self._change[0] != after:
            broker = self._broker
            listings = map(broker.contracts.by_symbol, broker.market.book.symbols)
            times = [broker.market.stands_until(item, after) for item in listings if item]
            self._change = after, min(times, default=after)
        return self._change[1]

    def _begin_to_tell(self) -> None:
        """Who subscribes is told everything; three minutes count from then for the first."""
        if not (self._updates or self._multis or self._profits):
            self._updated_at = self._broker.now
        if not self._summaries:
            self._summarized_at = self._broker.now

    def traded(self, con_id: int) -> None:
        """Send what a trade in this contract changed, or an event that left no execution."""
        if con_id in self._broker.account.holdings:
            self._tell(con_id)
        else:  # a conversion of currencies leaves no position
            self.cash_changed()

    def cash_changed(self) -> None:
        """Send what a deposit, interest or a dividend changed."""
        self._send_updates([])

    def updates(self, client_id: int, request: q.AccountUpdatesRequest) -> None:
        """reqAccountUpdates."""
        if not request.subscribe:
            self._updates.pop(client_id, None)
            return
        if not self._known(client_id, -1, request.account):
            return
        self._begin_to_tell()
        self._updates[client_id] = Stream()
        self._send_account(client_id, self._items(self._held()))
        self._broker.send(client_id, r.AccountDownloadEnd(self._broker.account.account_id))

    def updates_multi(self, client_id: int, request: q.AccountUpdatesMultiRequest) -> None:
        """reqAccountUpdatesMulti; `ledgerAndNLV` leaves only the ledger and NetLiquidation."""
        if not self._known(client_id, request.request_id, request.account):
            return
        if not self._has_room(client_id, request.request_id, self._multis):
            return
        key = client_id, request.request_id
        self._begin_to_tell()
        self._multis[key] = Stream(LEDGER_AND_NET if request.ledger_only else EVERYTHING)
        self._send_multi(key, self._changed(self._multis[key]))
        self._broker.send(client_id, r.AccountUpdateMultiEnd(request.request_id))

    def cancel_updates_multi(self, client_id: int, request: q.AccountUpdatesMultiCancel) -> None:
        """cancelAccountUpdatesMulti."""
        self._multis.pop((client_id, request.request_id), None)

    def summary(self, client_id: int, request: q.AccountSummaryRequest) -> None:
        """reqAccountSummary: the tags asked for, and every three minutes those that changed."""
        open_summaries = sum(owner == client_id for owner, _ in self._summaries)
        if open_summaries >= SUMMARIES_MAX:
            text = "Maximum number of account summary requests exceeded"
            self._broker.refuse(client_id, request.request_id, 322, text)
            return
        key = client_id, request.request_id
        self._begin_to_tell()
        self._summaries[key] = Stream(summary_selection(request.tags))
        self._send_summary(key)
        self._broker.send(client_id, r.AccountSummaryEnd(request.request_id))

    def cancel_summary(self, client_id: int, request: q.AccountSummaryCancel) -> None:
        """cancelAccountSummary."""
        self._summaries.pop((client_id, request.request_id), None)

    def positions(self, client_id: int, request: q.PositionsRequest) -> None:
        """reqPositions: all positions now, and each one again when it changes."""
        self._positions.add(client_id)
        rows = [self._position(con_id) for con_id in self._held()]
        self._broker.send(client_id, *rows, r.PositionEnd())

    def cancel_positions(self, client_id: int, request: q.PositionsCancel) -> None:
        """cancelPositions."""
        self._positions.discard(client_id)

    def positions_multi(self, client_id: int, request: q.PositionsMultiRequest) -> None:
        """reqPositionsMulti."""
        if not self._known(client_id, request.request_id, request.account):
            return
        if not self._has_room(client_id, request.request_id, self._position_multis):
            return
        self._position_multis.add((client_id, request.request_id))
        rows = [self._position_multi(request.request_id, con_id) for con_id in self._held()]
        self._broker.send(client_id, *rows, r.PositionMultiEnd(request.request_id))

    def cancel_positions_multi(self, client_id: int, request: q.PositionsMultiCancel) -> None:
        """cancelPositionsMulti."""
        self._position_multis.discard((client_id, request.request_id))

    def profit(self, client_id: int, request: q.PnLRequest) -> None:
        """reqPnL: in the base currency."""
        if self._known(client_id, request.request_id, request.account):
            self._start_profit((client_id, request.request_id), None)

    def profit_single(self, client_id: int, request: q.PnLSingleRequest) -> None:
        """reqPnLSingle: in the contract's currency."""
        if not self._known(client_id, request.request_id, request.account):
            return
        if request.con_id not in self._broker.account.holdings:
            text = f"no position in contract {request.con_id}"
            self._broker.refuse(client_id, request.request_id, 321, text)
            return
        self._start_profit((client_id, request.request_id), request.con_id)

    def cancel_profit(self, client_id: int, request: q.SubscriptionCancel) -> None:
        """cancelPnL and cancelPnLSingle."""
        self._profits.pop((client_id, request.request_id), None)

    def _start_profit(self, key: Key, con_id: int | None) -> None:
        if self._has_room(*key, self._profits):
            self._begin_to_tell()
            self._profits[key] = ProfitStream(con_id)
            self._send_profit(key, self._profits[key])

    def _known(self, client_id: int, request_id: int, account: str) -> bool:
        if account in {"", "All", self._broker.account.account_id}:
            return True
        self._broker.refuse(client_id, request_id, 321, f"Invalid account code '{account[:40]}'")
        return False

    def _has_room(self, client_id: int, request_id: int, keys: Collection[Key]) -> bool:
        if sum(owner == client_id for owner, _ in keys) < SUBSCRIPTIONS_MAX:
            return True
        text = f"Maximum number of subscriptions ({SUBSCRIPTIONS_MAX}) exceeded"
        self._broker.refuse(client_id, request_id, 322, text)
        return False

    def _held(self) -> list[int]:
        holdings = self._broker.account.holdings
        return [con_id for con_id, holding in holdings.items() if holding.quantity]

    def _statement(self) -> Statement:
        broker = self._broker
        self._last = statement(broker.account, broker.valuation, self._last)
        return self._last

    def _changed(self, stream: Stream, known: tuple[Any, list[Row]] | None = None) -> list[Row]:
        """The rows a stream was not sent yet; `known` is a pair (statement, what changed since)."""
        now = self._last if known is not None and self._last is not None else self._statement()
        earlier, stream.sent = stream.sent, now
        if known is not None and earlier is known[0]:
            return stream.selection.of(known[1])
        return stream.selection.of(now.since(earlier))

    def _send_updates(self, con_ids: list[int], *, traded: bool = False) -> None:
        self._updated_at, self._is_stirred = self._broker.now, True
        if self._updates or self._multis:
            before = self._last
            known = (before, self._statement().since(before))
            items = self._items(con_ids) if self._updates else []
            for client_id in sorted(self._updates):
                self._send_account(client_id, items, known=known, traded=traded)
            for key in sorted(self._multis):
                self._send_multi(key, self._changed(self._multis[key], known))
        for key in sorted(self._profits):
            self._send_profit(key, self._profits[key])

    def _send_account(
        self,
        client_id: int,
        items: list[tuple[int, r.PortfolioItem]],
        *,
        known: tuple[Any, list[Row]] | None = None,
        traded: bool = False,
    ) -> None:
        stream, account_id = self._updates[client_id], self._broker.account.account_id
        rows = self._changed(stream, known)
        told: list[Any] = [r.AccountValue(*row, account_id) for row in rows]
        for con_id, item in items:
            if traded or stream.items.get(con_id) != item:
                stream.items[con_id] = item
                told.append(item)
        if told:
            local = self._broker.now.astimezone(NEW_YORK)
            self._broker.send(client_id, *told, r.AccountTime(f"{local:%H:%M}"))

    def _send_multi(self, key: Key, rows: list[Row]) -> None:
        client_id, request_id = key
        account_id = self._broker.account.account_id
        told = [r.AccountUpdateMulti(request_id, account_id, "", *row) for row in rows]
        self._broker.send(client_id, *told)

    def _send_summaries(self) -> None:
        self._summarized_at, self._is_stirred = self._broker.now, False
        for key in sorted(self._summaries):
            self._send_summary(key)

    def _send_summary(self, key: Key) -> None:
        client_id, request_id = key
        account_id = self._broker.account.account_id
        rows = self._changed(self._summaries[key])
        self._broker.send(
            client_id, *(r.AccountSummary(request_id, account_id, *row) for row in rows)
        )

    def _tell(self, con_id: int) -> None:
        """Send a position, and what changed with it."""
        self._send_positions(con_id)
        self._send_updates([con_id], traded=True)

    def _send_positions(self, con_id: int) -> None:
        for client_id in sorted(self._positions):
            self._broker.send(client_id, self._position(con_id))
        for client_id, request_id in sorted(self._position_multis):
            self._broker.send(client_id, self._position_multi(request_id, con_id))

    def _holding(self, con_id: int) -> Holding:
        """The holding; an empty one when the position was closed before today."""
        held = self._broker.account.holdings.get(con_id)
        return Holding(self._broker.contracts.by_con_id(con_id)) if held is None else held

    def _contract(self, con_id: int) -> tuple[Contract, Contract]:
        """The contract as the portfolio shows it, and as positions do."""
        if con_id not in self._contracts:
            contract = self._broker.contracts.by_con_id(con_id).contract()
            self._contracts[con_id] = contract, unrouted(contract)
        return self._contracts[con_id]

    def _position(self, con_id: int) -> r.Position:
        held, account_id = self._holding(con_id), self._broker.account.account_id
        contract = self._contract(con_id)[1]
        return r.Position(account_id, contract, held.quantity, held.average_cost)

    def _position_multi(self, request_id: int, con_id: int) -> r.PositionMulti:
        row = self._position(con_id)
        return r.PositionMulti(
            request_id, row.account, row.contract, row.position, row.average_cost, ""
        )

    def _items(self, con_ids: list[int]) -> list[tuple[int, r.PortfolioItem]]:
        return [(con_id, self._portfolio(con_id)) for con_id in con_ids]

    def _portfolio(self, con_id: int) -> r.PortfolioItem:
        account, valuation = self._broker.account, self._broker.valuation
        holding = self._holding(con_id)
        price = valuation.price(con_id)
        if price is None:
            price = holding.average_cost / holding.listing.multiplier
        value = holding.quantity * price * holding.listing.multiplier
        return r.PortfolioItem(
            contract=self._contract(con_id)[0],
            position=holding.quantity,
            market_price=price,
            market_value=value.quantize(CENT),
            average_cost=holding.average_cost,
            unrealized=(value - holding.quantity * holding.average_cost).quantize(CENT),
            realized=holding.realized_today.quantize(CENT),
            account=account.account_id,
        )

    def _send_profit(self, key: Key, stream: ProfitStream) -> None:
        found = self._profit(key[1]) if stream.con_id is None else self._single(key[1], stream)
        if found != stream.sent:
            stream.sent = found
            self._broker.send(key[0], found)

    def _profit(self, request_id: int) -> r.PnL:
        account, valuation = self._broker.account, self._broker.valuation
        daily = unrealized = realized = ZERO
        for con_id, holding in account.holdings.items():
            rate = valuation.rate(holding.listing.currency)
            open_profit = account.unrealized(con_id, valuation)
            unrealized += open_profit * rate
            realized += holding.realized_today * rate
            daily += (open_profit - holding.unrealized_before_today) * rate
        numbers = (daily + realized, unrealized, realized)
        return r.PnL(request_id, *(number.quantize(CENT) for number in numbers))

    def _single(self, request_id: int, stream: ProfitStream) -> r.PnLSingle:
        item = self._portfolio(stream.con_id or 0)
        before = self._holding(stream.con_id or 0).unrealized_before_today
        daily = (item.unrealized + item.realized - before).quantize(CENT)
        profits = (daily, item.unrealized, item.realized)
        return r.PnLSingle(request_id, item.position, *profits, item.market_value)


HANDLERS: dict[type[Any], Callable[[AccountDesk, int, Any], None]] = {
    q.AccountUpdatesRequest: AccountDesk.updates,
    q.AccountUpdatesMultiRequest: AccountDesk.updates_multi,
    q.AccountUpdatesMultiCancel: AccountDesk.cancel_updates_multi,
    q.AccountSummaryRequest: AccountDesk.summary,
    q.AccountSummaryCancel: AccountDesk.cancel_summary,
    q.PositionsRequest: AccountDesk.positions,
    q.PositionsCancel: AccountDesk.cancel_positions,
    q.PositionsMultiRequest: AccountDesk.positions_multi,
    q.PositionsMultiCancel: AccountDesk.cancel_positions_multi,
    q.PnLRequest: AccountDesk.profit,
    q.PnLCancel: AccountDesk.cancel_profit,
    q.PnLSingleRequest: AccountDesk.profit_single,
    q.PnLSingleCancel: AccountDesk.cancel_profit,
}
