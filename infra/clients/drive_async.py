"""The script's verbs by ib_async and by its forefather ib_insync, whichever its environment has.

Run as `python drive_async.py PORT`; `script.py` tells the verbs. Both libraries have the same names
for all that is used here; the asynchronous ones, for their blocking ones run a loop within a loop.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

# ib_insync asks for an event loop when it is imported. Python 3.12 and 3.13 still make one, with a
# DeprecationWarning; before `asyncio.run`, for after it they would refuse.
try:
    import ib_async as library
except ImportError:
    import ib_insync as library  # type: ignore[import-not-found, no-redef]

WAIT_SECONDS_MAX = 10
OWN = {"PendingSubmit", "PendingCancel", "ApiPending", "ValidationError"}
"""Statuses that the library makes up."""


class Driver:
    """One verb a method; each returns what JSON can say."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ib = library.IB()
        self.ids: dict[str, int] = {}
        self.opened: dict[int, Any] = {}
        self.codes: dict[int, list[int]] = defaultdict(list)
        self.ticker: Any = None
        self.bars_kept: Any = None
        self.seconds_bars: Any = None

    async def connect(self, client_id: int) -> Any:
        self.ib = library.IB()
        self.ib.RaiseRequestErrors = True
        self.opened, self.codes = {}, defaultdict(list)
        self.ib.errorEvent += lambda id_, code, *_: self.codes[id_].append(code)
        self._tap_open_orders()
        await self.ib.connectAsync("127.0.0.1", self.port, client_id, timeout=WAIT_SECONDS_MAX)
        self.ticker = self.bars_kept = self.seconds_bars = None
        next_id = self.ib.client.getReqId()
        return {"accounts": self.ib.managedAccounts(), "next_order_id": next_id}

    async def disconnect(self) -> Any:
        self.ib.disconnect()
        await asyncio.sleep(0)  # the transport closes in the loop's next turn
        return {"connected": self.ib.isConnected()}

    async def contract_details(self, symbol: str) -> Any:
        return [
            {
                "con_id": contract.conId,
                "symbol": contract.symbol,
                "security_type": contract.secType,
                "currency": contract.currency,
                "min_tick": details.minTick,
                "time_zone": details.timeZoneId,
                "long_name": details.longName,
            }
            for details in await self.ib.reqContractDetailsAsync(stock(symbol))
            if (contract := details.contract) is not None
        ]

    async def bars(self, symbol: str, duration: str, size: str) -> Any:
        return rows(await self._history(symbol, duration, size, kept=False))

    async def account(self, tags: list[str]) -> Any:
        values = self.ib.accountValues()
        return {
            row.tag: float(row.value) for row in values if row.tag in tags and row.currency == "USD"
        }

    async def positions(self) -> Any:
        held = await self.ib.reqPositionsAsync()
        self.ib.client.cancelPositions()  # type: ignore[no-untyped-call]
        # An update that comes while the library asks stands in its answer, too: the newest counts.
        newest = {row.contract.conId: row for row in held}.values()
        return [[row.contract.symbol, row.position, row.avgCost] for row in newest]

    async def place(self, **terms: Any) -> Any:
        order = self._order(terms)
        self.ib.placeOrder(stock(terms["symbol"]), order)
        self.ids[terms["ref"]] = order.orderId
        return {}

    async def modify(self, ref: str, **changes: Any) -> Any:
        trade = self._trade(ref)
        for name, value in changes.items():
            setattr(trade.order, FIELDS[name], value)
        self.ib.placeOrder(trade.contract, trade.order)
        return {}

    async def cancel(self, ref: str) -> Any:
        self.ib.cancelOrder(self._trade(ref).order)
        return {}

    async def order(self, ref: str, until: str, filled: float = 0) -> Any:
        def reached() -> bool:
            trade = self._trade(ref)
            costs_known = all(fill.commissionReport.execId for fill in trade.fills)
            status = trade.orderStatus.status
            return status == until and trade.filled() >= filled and costs_known

        await until_true(reached, lambda: self._heard(ref))
        return self._heard(ref)

    async def what_if(self, **terms: Any) -> Any:
        state = await self.ib.whatIfOrderAsync(stock(terms["symbol"]), self._order(terms))
        return {
            "initial_margin_before": float(state.initMarginBefore),
            "initial_margin_change": float(state.initMarginChange),
            "maintenance_margin_change": float(state.maintMarginChange),
            "equity_with_loan_after": float(state.equityWithLoanAfter),
            "commission": state.commission,
            "currency": state.commissionCurrency,
        }

    async def open_orders(self) -> Any:
        trades = await self.ib.reqOpenOrdersAsync()
        return by_ref(
            {
                "ref": trade.order.orderRef,
                "status": trade.orderStatus.status,
                "quantity": trade.order.totalQuantity,
            }
            for trade in trades
        )

    async def completed_orders(self) -> Any:
        trades = await self.ib.reqCompletedOrdersAsync(False)
        return by_ref(
            {
                "ref": trade.order.orderRef,
                "status": trade.orderStatus.status,
                "filled": trade.order.filledQuantity,
            }
            for trade in trades
        )

    async def executions(self) -> Any:
        return [
            {
                "ref": fill.execution.orderRef,
                "symbol": fill.contract.symbol,
                "side": fill.execution.side,
                "quantity": fill.execution.shares,
                "price": fill.execution.price,
                "id": fill.execution.execId,
            }
            for fill in await self.ib.reqExecutionsAsync()
        ]

    async def snapshot(self, symbol: str) -> Any:
        (ticker,) = await self.ib.reqTickersAsync(await self._qualified(symbol))
        return quote(ticker)

    async def subscribe_quotes(self, symbol: str) -> Any:
        self.ticker = self.ib.reqMktData(await self._qualified(symbol), "", False, False)
        return {}

    async def quotes(self, symbol: str, last: float) -> Any:
        await until_true(lambda: self.ticker.last == last, lambda: quote(self.ticker))
        return quote(self.ticker)

    async def unsubscribe_quotes(self, symbol: str) -> Any:
        self.ib.cancelMktData(await self._qualified(symbol))
        return {}

    async def subscribe_bars(self, symbol: str, duration: str, size: str) -> Any:
        self.bars_kept = await self._history(symbol, duration, size, kept=True)
        return rows(self.bars_kept)

    async def bar_updates(self, start: int) -> Any:
        def heard() -> list[list[float]]:
            return rows(self.bars_kept)

        await until_true(lambda: any(row[0] == start for row in heard()), heard)
        return heard()

    async def unsubscribe_bars(self) -> Any:
        self.ib.cancelHistoricalData(self.bars_kept)
        return {}

    async def subscribe_real_time_bars(self, symbol: str) -> Any:
        self.seconds_bars = self.ib.reqRealTimeBars(stock(symbol), 5, "TRADES", True)
        return {}

    async def real_time_bars(self, count: int) -> Any:
        def heard() -> list[list[float]]:
            return [
                [seconds(bar.time), bar.open_, bar.high, bar.low, bar.close, bar.volume]
                for bar in self.seconds_bars
            ]

        await until_true(lambda: len(self.seconds_bars) >= count, heard)
        return heard()

    async def unsubscribe_real_time_bars(self, symbol: str) -> Any:
        self.ib.cancelRealTimeBars(self.seconds_bars)
        return {}

    async def life_cycles(self, symbol: str, count: int) -> Any:
        self.ib.client.MaxRequests = 0  # its own brake of 45 messages a second is not measured
        contract, told = stock(symbol), asyncio.Event()
        self.ib.commissionReportEvent += lambda *_: told.set()
        began, mine = time.perf_counter(), time.process_time()
        for number in range(count):
            told.clear()
            action = "SELL" if number % 2 else "BUY"
            trade = self.ib.placeOrder(contract, library.MarketOrder(action, 1, tif="DAY"))
            await asyncio.wait_for(told.wait(), WAIT_SECONDS_MAX)
            if trade.orderStatus.status != "Filled":
                raise RuntimeError(f"a commission came while the order was {trade.orderStatus}")
        taken = time.perf_counter() - began
        return {"seconds": taken, "cpu_seconds": time.process_time() - mine}

    async def usage(self) -> Any:
        return {"cpu_seconds": time.process_time()}

    def _tap_open_orders(self) -> None:
        """Keep the gateway's orders: the library's own trades go on having what the user wrote."""
        tapped = self.ib.wrapper.openOrder

        def open_order(order_id: int, contract: Any, order: Any, state: Any) -> None:
            self.opened[order_id] = order
            tapped(order_id, contract, order, state)

        self.ib.wrapper.openOrder = open_order  # type: ignore[assignment, method-assign]

    async def _history(self, symbol: str, duration: str, size: str, *, kept: bool) -> Any:
        return await self.ib.reqHistoricalDataAsync(
            stock(symbol), "", duration, size, "TRADES", True, 2, keepUpToDate=kept
        )

    async def _qualified(self, symbol: str) -> Any:
        """The contract with its id, without which ib_async keeps no ticker."""
        (contract,) = await self.ib.qualifyContractsAsync(stock(symbol))
        return contract

    def _order(self, terms: dict[str, Any]) -> Any:
        order = library.Order(tif="DAY", transmit=terms.get("transmit", True))
        for name, field in FIELDS.items():
            if name in terms:
                setattr(order, field, terms[name])
        if "parent" in terms:
            order.parentId = self.ids[terms["parent"]]
        return order

    def _trade(self, ref: str) -> Any:
        for trade in self.ib.trades():
            if trade.order.orderId == self.ids[ref]:
                return trade
        raise LookupError(f"no order {ref} was heard of since the connection was made")

    def _ref(self, order_id: int) -> str:
        """The newest order of this id: every case's gateway begins its ids anew."""
        refs = (ref for ref, known in reversed(self.ids.items()) if known == order_id)
        return next(refs, "")

    def _heard(self, ref: str) -> Any:
        trade = self._trade(ref)
        order, status = trade.order, trade.orderStatus
        told = [entry.status for entry in trade.log if entry.status not in OWN]
        as_told = self.opened.get(order.orderId, order)
        return {
            "statuses": [
                one for one, before in zip(told, ["", *told], strict=False) if one != before
            ],
            "filled": status.filled,
            "remaining": status.remaining,
            "average_price": status.avgFillPrice,
            "executions": [execution(fill) for fill in trade.fills],
            "errors": self.codes[order.orderId],
            "type": as_told.orderType,
            "quantity": as_told.totalQuantity,
            "limit": as_told.lmtPrice,
            "parent": self._ref(as_told.parentId),
            "oca_group": as_told.ocaGroup,
        }


FIELDS = {
    "ref": "orderRef",
    "action": "action",
    "quantity": "totalQuantity",
    "type": "orderType",
    "limit": "lmtPrice",
    "stop": "auxPrice",
    "trail": "auxPrice",
    "oca_group": "ocaGroup",
    "oca_type": "ocaType",
}
"""The script's words for an order, and the attributes of the library's order."""


def stock(symbol: str) -> Any:
    return library.Stock(symbol, "SMART", "USD")


def execution(fill: Any) -> dict[str, Any]:
    return {
        "side": fill.execution.side,
        "quantity": fill.execution.shares,
        "price": fill.execution.price,
        "commission": fill.commissionReport.commission,
        "currency": fill.commissionReport.currency,
    }


def quote(ticker: Any) -> dict[str, float]:
    return {"bid": ticker.bid, "ask": ticker.ask, "last": ticker.last}


def rows(bars: Iterable[Any]) -> list[list[float]]:
    return [[seconds(b.date), b.open, b.high, b.low, b.close, float(b.volume)] for b in bars]


def seconds(when: datetime) -> int:
    return int(when.timestamp())


def by_ref(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda row: str(row["ref"]))


async def until_true(holds: Callable[[], object], heard: Callable[[], object]) -> None:
    """Wait. Raises TimeoutError with what was heard instead."""
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not holds():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise TimeoutError(f"heard only {heard()}") from None


async def drive(port: int) -> None:
    """Answer line by line until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    driver, reader = Driver(port), asyncio.StreamReader(limit=1024 * 1024)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        asked = json.loads(line)
        try:
            answer = {"answer": await getattr(driver, asked["verb"])(**asked["arguments"])}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(drive(int(sys.argv[1])))
