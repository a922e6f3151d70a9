"""Answers about the account: values, portfolio, positions, profit and loss, and their updates.

Updates go out after every trade, and while time passes at most every three virtual minutes, with
only the values that changed: as IB does.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.account import CENT, account_rows, ledger_rows
from gateway.simulator.broker import LONG_AGO, Broker
from gateway.simulator.contracts import unrouted
from gateway.simulator.hours import NEW_YORK, new_york_day

UPDATE_INTERVAL = timedelta(minutes=3)
SUMMARIES_MAX = 2
"""Account summaries one client may have at a time; the next one is error 322."""
SUBSCRIPTIONS_MAX = 50
"""Subscriptions of one kind one client may have."""

Row = tuple[str, str, str]


@dataclass(slots=True)
class ValueStream:
    """One subscription to account values: the values it was sent last."""

    sent: dict[tuple[str, str], str] = field(default_factory=dict)

    def changed(self, rows: list[Row]) -> list[Row]:
        """The rows that differ from what was sent, which they now are."""
        fresh = [row for row in rows if self.sent.get((row[0], row[2])) != row[1]]
        self.sent |= {(key, currency): value for key, value, currency in fresh}
        return fresh


class AccountDesk:
    """Everything a client can ask about the account."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._updates: dict[int, ValueStream] = {}
        self._multis: dict[tuple[int, int], ValueStream] = {}
        self._summaries: set[tuple[int, int]] = set()
        self._positions: set[int] = set()
        self._position_multis: set[tuple[int, int]] = set()
        self._profits: dict[tuple[int, int], int | None] = {}
        self._updated_at = LONG_AGO
        self._day: date | None = None
        self._profit_before_today: dict[int, Decimal] = {}
        self._realized_before_today: dict[int, Decimal] = {}

    def forget(self, client_id: int) -> None:
        """Drop what a disconnected client had subscribed to."""
        self._updates.pop(client_id, None)
        self._positions.discard(client_id)
        self._multis = {key: item for key, item in self._multis.items() if key[0] != client_id}
        self._profits = {key: item for key, item in self._profits.items() if key[0] != client_id}
        self._summaries = {key for key in self._summaries if key[0] != client_id}
        self._position_multis = {key for key in self._position_multis if key[0] != client_id}

    def pass_time(self) -> None:
        """Begin a new day's profit and loss at midnight; send valuations when they are due."""
        today = new_york_day(self._broker.now)
        if today != self._day:
            self._day = today
            self._begin_day()
        if self._broker.now - self._updated_at >= UPDATE_INTERVAL:
            self._send_updates(list(self._broker.account.holdings))

    def traded(self, con_id: int) -> None:
        """Send what a trade in this contract changed."""
        for client_id in sorted(self._positions):
            self._broker.send(client_id, self._position(con_id))
        for client_id, request_id in sorted(self._position_multis):
            self._broker.send(client_id, self._position_multi(request_id, con_id))
        self._send_updates([con_id])

    def updates(self, client_id: int, request: q.AccountUpdatesRequest) -> None:
        """reqAccountUpdates."""
        if not request.subscribe:
            self._updates.pop(client_id, None)
            return
        if not self._known(client_id, -1, request.account):
            return
        self._updates[client_id] = ValueStream()
        self._send_account(client_id, self._held(), everything=True)
        self._broker.send(client_id, r.AccountDownloadEnd(self._broker.account.account_id))

    def updates_multi(self, client_id: int, request: q.AccountUpdatesMultiRequest) -> None:
        """reqAccountUpdatesMulti."""
        if not self._known(client_id, request.request_id, request.account):
            return
        if not self._has_room(client_id, request.request_id, self._multis):
            return
        self._multis[client_id, request.request_id] = ValueStream()
        self._send_multi(client_id, request.request_id)
        self._broker.send(client_id, r.AccountUpdateMultiEnd(request.request_id))

    def cancel_updates_multi(self, client_id: int, request: q.AccountUpdatesMultiCancel) -> None:
        """cancelAccountUpdatesMulti."""
        self._multis.pop((client_id, request.request_id), None)

    def summary(self, client_id: int, request: q.AccountSummaryRequest) -> None:
        """reqAccountSummary: the tags asked for, once; updates are not sent."""
        open_summaries = sum(owner == client_id for owner, _ in self._summaries)
        if open_summaries >= SUMMARIES_MAX:
            text = "Maximum number of account summary requests exceeded"
            self._broker.refuse(client_id, request.request_id, 322, text)
            return
        self._summaries.add((client_id, request.request_id))
        account_id = self._broker.account.account_id
        rows = [
            r.AccountSummary(request.request_id, account_id, *row)
            for row in self._summary_rows(request.tags.split(","))
        ]
        self._broker.send(client_id, *rows, r.AccountSummaryEnd(request.request_id))

    def cancel_summary(self, client_id: int, request: q.AccountSummaryCancel) -> None:
        """cancelAccountSummary."""
        self._summaries.discard((client_id, request.request_id))

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
        """reqPnL."""
        if not self._known(client_id, request.request_id, request.account):
            return
        if self._has_room(client_id, request.request_id, self._profits):
            self._profits[client_id, request.request_id] = None
            self._send_profit(client_id, request.request_id, None)

    def profit_single(self, client_id: int, request: q.PnLSingleRequest) -> None:
        """reqPnLSingle."""
        if not self._known(client_id, request.request_id, request.account):
            return
        if request.con_id not in self._broker.account.holdings:
            text = f"no position in contract {request.con_id}"
            self._broker.refuse(client_id, request.request_id, 321, text)
            return
        if self._has_room(client_id, request.request_id, self._profits):
            self._profits[client_id, request.request_id] = request.con_id
            self._send_profit(client_id, request.request_id, request.con_id)

    def cancel_profit(self, client_id: int, request: q.SubscriptionCancel) -> None:
        """cancelPnL and cancelPnLSingle."""
        self._profits.pop((client_id, request.request_id), None)

    def _known(self, client_id: int, request_id: int, account: str) -> bool:
        if account in {"", "All", self._broker.account.account_id}:
            return True
        self._broker.refuse(client_id, request_id, 321, f"Invalid account code '{account[:40]}'")
        return False

    def _has_room(self, client_id: int, request_id: int, keys: Collection[tuple[int, int]]) -> bool:
        if sum(owner == client_id for owner, _ in keys) < SUBSCRIPTIONS_MAX:
            return True
        text = f"Maximum number of subscriptions ({SUBSCRIPTIONS_MAX}) exceeded"
        self._broker.refuse(client_id, request_id, 322, text)
        return False

    def _held(self) -> list[int]:
        holdings = self._broker.account.holdings
        return [con_id for con_id, holding in holdings.items() if holding.quantity]

    def _summary_rows(self, tags: list[str]) -> list[Row]:
        ledger = ledger_rows(self._broker.account, self._broker.price)
        rows = account_rows(self._broker.account, self._broker.price)
        plain = [row for row in rows if row not in ledger and row[0] in tags]
        return [*plain, *ledger] if any(tag.startswith("$LEDGER") for tag in tags) else plain

    def _send_updates(self, con_ids: list[int]) -> None:
        self._updated_at = self._broker.now
        for client_id in sorted(self._updates):
            self._send_account(client_id, con_ids)
        for client_id, request_id in sorted(self._multis):
            self._send_multi(client_id, request_id)
        for (client_id, request_id), con_id in sorted(self._profits.items(), key=lambda x: x[0]):
            self._send_profit(client_id, request_id, con_id)

    def _send_account(
        self, client_id: int, con_ids: list[int], *, everything: bool = False
    ) -> None:
        rows = account_rows(self._broker.account, self._broker.price)
        changed = self._updates[client_id].changed(rows)
        if not changed and not everything:
            return
        account_id = self._broker.account.account_id
        self._broker.send(client_id, *(r.AccountValue(*row, account_id) for row in changed))
        self._broker.send(client_id, *(self._portfolio(con_id) for con_id in con_ids))
        local = self._broker.now.astimezone(NEW_YORK)
        self._broker.send(client_id, r.AccountTime(f"{local:%H:%M}"))

    def _send_multi(self, client_id: int, request_id: int) -> None:
        rows = account_rows(self._broker.account, self._broker.price)
        account_id = self._broker.account.account_id
        for row in self._multis[client_id, request_id].changed(rows):
            self._broker.send(client_id, r.AccountUpdateMulti(request_id, account_id, "", *row))

    def _position(self, con_id: int) -> r.Position:
        account = self._broker.account
        holding = account.holdings[con_id]
        contract = self._broker.contracts.by_con_id(con_id).contract()
        return r.Position(
            account.account_id, unrouted(contract), holding.quantity, holding.average_cost
        )

    def _position_multi(self, request_id: int, con_id: int) -> r.PositionMulti:
        row = self._position(con_id)
        return r.PositionMulti(
            request_id, row.account, row.contract, row.position, row.average_cost, ""
        )

    def _portfolio(self, con_id: int) -> r.PortfolioItem:
        account, price = self._broker.account, self._broker.price
        holding = account.holdings[con_id]
        market = account.price(con_id, price)
        return r.PortfolioItem(
            contract=self._broker.contracts.by_con_id(con_id).contract(),
            position=holding.quantity,
            market_price=market,
            market_value=(market * holding.quantity).quantize(CENT),
            average_cost=holding.average_cost,
            unrealized=account.unrealized(con_id, price).quantize(CENT),
            realized=self._realized_today(con_id).quantize(CENT),
            account=account.account_id,
        )

    def _begin_day(self) -> None:
        account = self._broker.account
        self._realized_before_today = {
            con_id: holding.realized for con_id, holding in account.holdings.items()
        }
        self._profit_before_today = {con_id: self._profit(con_id) for con_id in account.holdings}

    def _profit(self, con_id: int) -> Decimal:
        account = self._broker.account
        realized = account.holdings[con_id].realized
        return realized + account.unrealized(con_id, self._broker.price)

    def _realized_today(self, con_id: int) -> Decimal:
        before = self._realized_before_today.get(con_id, Decimal(0))
        return self._broker.account.holdings[con_id].realized - before

    def _send_profit(self, client_id: int, request_id: int, con_id: int | None) -> None:
        account, price = self._broker.account, self._broker.price
        wanted = list(account.holdings) if con_id is None else [con_id]
        before = self._profit_before_today
        daily = [self._profit(item) - before.get(item, Decimal(0)) for item in wanted]
        numbers = (
            _total(daily),
            _total([account.unrealized(item, price) for item in wanted]),
            _total([self._realized_today(item) for item in wanted]),
        )
        if con_id is None:
            self._broker.send(client_id, r.PnL(request_id, *numbers))
            return
        quantity = account.holdings[con_id].quantity
        value = (quantity * account.price(con_id, price)).quantize(CENT)
        self._broker.send(client_id, r.PnLSingle(request_id, quantity, *numbers, value=value))


def _total(values: list[Decimal]) -> Decimal:
    return sum(values, Decimal(0)).quantize(CENT)


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
