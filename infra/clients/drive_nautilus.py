"""Plays the script with NautilusTrader's Python adapter, unmodified: see script.py for the verbs.

Each `connect` starts a TradingNode with a data client, an execution client and one strategy, as a
person's program would, and waits until it has reconciled; `disconnect` stops it. Orders are called
by their ClientOrderId, which the adapter sends as orderRef. What became of an order is read from
NautilusTrader's own order and its events; the adapter's three callbacks for orderStatus, openOrder
and error are listened to besides, for statuses and codes are nowhere else. NautilusTrader writes
its log on the standard output, so what is answered goes to a copy of it, and the rest to the error
stream.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TextIO

# The two are not modules of a package there: a program's folder is where it looks first.
from nautilus_node import (  # type: ignore[import-not-found]
    ACCOUNT,
    Ear,
    Trader,
    bar_type,
    instrument_id,
    price,
    trading_node,
)
from nautilus_trader.adapters.interactive_brokers import factories
from nautilus_trader.adapters.interactive_brokers.common import IB, IBOrderTags
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.messages import GenerateFillReports
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide, OrderStatus
from nautilus_trader.model.events import OrderFilled, OrderRejected
from nautilus_trader.model.identifiers import ClientId, ClientOrderId
from nautilus_trader.model.objects import Quantity

WAIT_SECONDS: Final = 10
START_SECONDS: Final = 30
DURATION_UNITS: Final = {"S": 1, "D": 86400}
SIDES: Final = {OrderSide.BUY: "BOT", OrderSide.SELL: "SLD"}
WORKING: Final = {OrderStatus.SUBMITTED, OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}
AGREES: Final = {
    "PreSubmitted": WORKING,
    "Submitted": WORKING,
    "Filled": {OrderStatus.FILLED},
    "Cancelled": {OrderStatus.CANCELED},
    "Inactive": {OrderStatus.REJECTED},
}
"""The states that NautilusTrader's order may have when the gateway told a status."""

Answer = Any


class Session:
    """One TradingNode, from its start to its end; a method a verb."""

    def __init__(self, port: int, client_id: int) -> None:
        self.news = asyncio.Event()
        self.node = trading_node(port, client_id)
        self.trader = Trader(self.news)
        self.node.trader.add_strategy(self.trader)
        self.node.build()
        (self.client,) = factories.IB_CLIENTS.values()
        self.ear = Ear(self.client, self.news)
        self.held_back: list[Any] = []
        self.asked = 0
        self.real_time: BarType | None = None
        self.kept: tuple[BarType, int] | None = None
        self.running = asyncio.ensure_future(self.node.run_async())

    async def answer(self, verb: str, arguments: dict[str, Any]) -> Answer:
        """The answer of the method of that name."""
        method = getattr(self, verb, None)
        if method is None:
            raise NotImplementedError(f"NautilusTrader has no notion of {verb}")
        return await method(**arguments)

    async def start(self) -> Answer:
        """Wait until the node has reconciled and the strategy runs."""
        await self.until(lambda: self.trader.started or self.running.done(), START_SECONDS)
        if not self.trader.started:
            raise RuntimeError("the trading node ended before its strategy started")
        next_id = self.client._next_valid_order_id
        return {"accounts": sorted(self.client.accounts()), "next_order_id": next_id}

    async def disconnect(self) -> Answer:
        """Stop the node; it ends the connection."""
        until = time.monotonic() + WAIT_SECONDS
        await self.node.stop_async()
        while self.client._eclient.isConnected() and time.monotonic() < until:
            await asyncio.sleep(0.005)
        await asyncio.wait([self.running], timeout=WAIT_SECONDS)
        return {"connected": self.client._eclient.isConnected()}

    async def contract_details(self, symbol: str) -> Answer:
        info = self.trader.cache.instrument(instrument_id(symbol)).info
        contract = info["contract"]
        return [
            {
                "con_id": contract["conId"],
                "symbol": contract["symbol"],
                "security_type": contract["secType"],
                "currency": contract["currency"],
                "min_tick": info["minTick"],
                "time_zone": info["timeZoneId"],
                "long_name": info["longName"],
            }
        ]

    async def bars(self, symbol: str, duration: str, size: str) -> Answer:
        type_ = bar_type(symbol, size)
        await self._request_bars(type_, duration)
        return self._bars_since(type_, 0)

    async def account(self, tags: list[str]) -> Answer:
        kept = self.trader.cache.get(f"accountSummary:{ACCOUNT}")
        values = json.loads(kept)["USD"]
        return {tag: float(values[tag]) for tag in tags if tag in values}

    async def positions(self) -> Answer:
        """The broker's, as soon as NautilusTrader's own portfolio holds the same."""
        found = await self.client.get_positions(ACCOUNT)
        held = {instrument_id(p.contract.symbol): p.quantity for p in found}
        own = self.trader.portfolio.net_position
        await self.until(lambda: all(own(id_) == quantity for id_, quantity in held.items()))
        return [[p.contract.symbol, float(p.quantity), p.avg_cost] for p in found]

    async def place(self, transmit: bool = True, **terms: Any) -> Answer:
        """Orders that are not transmitted wait, for NautilusTrader sends a bracket as a whole."""
        self.held_back.append(terms)
        if not transmit:
            return {}
        held_back, self.held_back = self.held_back, []
        if len(held_back) == 1:
            await self._sent(1, lambda: self.trader.submit_order(self.trader.order(**terms)))
        else:
            bracket = self.trader.bracket(*held_back)
            await self._sent(3, lambda: self.trader.submit_order_list(bracket))
        return {}

    async def modify(self, ref: str, **changes: Any) -> Answer:
        order = self._known(ref)
        quantity, limit, stop = (changes.get(name) for name in ("quantity", "limit", "stop"))
        await self._sent(
            1,
            lambda: self.trader.modify_order(
                order,
                quantity=None if quantity is None else Quantity.from_int(quantity),
                price=None if limit is None else price(limit),
                trigger_price=None if stop is None else price(stop),
            ),
        )
        return {}

    async def cancel(self, ref: str) -> Answer:
        await self._sent(1, lambda: self.trader.cancel_order(self._known(ref)))
        return {}

    async def order(self, ref: str, until: str, filled: int = 0) -> Answer:
        order = self._known(ref)
        await self.until(lambda: self._is_so(order, ref, until, filled))
        return self._heard(order, ref)

    def _is_so(self, order: Any, ref: str, until: str, filled: int) -> bool:
        """Whether the gateway told it so, and NautilusTrader's own order says the same.

        A cancel is told twice, as a status and as notice 202.
        """
        opened = self.ear.opened.get(ref)
        return (
            self.ear.statuses.get(ref, [])[-1:] == [until]
            and (until != "Cancelled" or bool(self.ear.codes.get(ref)))
            and order.status in AGREES.get(until, {order.status})
            and order.filled_qty == filled
            and _executed(order) == filled
            and opened is not None
            and opened.totalQuantity == order.quantity.as_decimal()
        )

    async def what_if(self, **terms: Any) -> Answer:
        """NautilusTrader tells what an order would cost in the reason of its rejection."""
        order = self.trader.order(tags=[IBOrderTags(whatIf=True).value], **terms)
        self.trader.submit_order(order)
        await self.until(lambda: isinstance(order.last_event, OrderRejected))
        state = json.loads(order.last_event.reason)["whatIf"]
        return {
            "initial_margin_before": float(state["initMarginBefore"]),
            "initial_margin_change": float(state["initMarginChange"]),
            "maintenance_margin_change": float(state["maintMarginChange"]),
            "equity_with_loan_after": float(state["equityWithLoanAfter"]),
            "commission": float(state["commissionAndFees"]),
            "currency": state["commissionAndFeesCurrency"],
        }

    async def open_orders(self) -> Answer:
        found = sorted(self.trader.cache.orders_open(), key=lambda order: order.client_order_id)
        return [
            {
                "ref": order.client_order_id.value,
                "status": (self.ear.statuses.get(order.client_order_id.value) or [""])[-1],
                "quantity": float(order.quantity),
            }
            for order in found
        ]

    async def executions(self) -> Answer:
        """The reports that a reconciliation asks for.

        The adapter reports once more what it had reported before; NautilusTrader, too, tells them
        apart by their trade id.
        """
        command = GenerateFillReports(None, None, None, None, UUID4(), time.time_ns())
        client = self.node.kernel.exec_engine._clients[ClientId(IB)]
        reports = {one.trade_id: one for one in await client.generate_fill_reports(command)}
        return [
            {
                "ref": report.client_order_id.value,
                "symbol": report.instrument_id.symbol.value,
                "side": SIDES[report.order_side],
                "quantity": float(report.last_qty),
                "price": float(report.last_px),
                "id": report.trade_id.value,
            }
            for report in reports.values()
        ]

    async def subscribe_quotes(self, symbol: str) -> Answer:
        id_ = instrument_id(symbol)
        await self._sent(1, lambda: self.trader.subscribe_quote_ticks(id_))
        return {}

    async def unsubscribe_quotes(self, symbol: str) -> Answer:
        self.trader.unsubscribe_quote_ticks(instrument_id(symbol))
        return {}

    async def quotes(self, symbol: str, last: float) -> Answer:
        """A QuoteTick has no last price: the adapter hears it, and it comes after the two sides."""
        await self.until(lambda: self.trader.quotes and self.ear.last == last)
        tick = self.trader.quotes[-1]
        return {"bid": float(tick.bid_price), "ask": float(tick.ask_price), "last": last}

    async def subscribe_bars(self, symbol: str, duration: str, size: str) -> Answer:
        """The past is asked for by itself: a subscription of NautilusTrader begins now."""
        type_ = bar_type(symbol, size)
        await self._request_bars(type_, duration)
        self.kept = type_, min(self.trader.bars[type_])
        await self._sent(1, lambda: self.trader.subscribe_bars(type_))
        return self._bars_since(*self.kept)

    async def bar_updates(self, start: int) -> Answer:
        if self.kept is None:
            raise RuntimeError("no bars are subscribed to")
        type_, first = self.kept
        await self.until(lambda: start in self.trader.bars[type_])
        return self._bars_since(type_, first)

    async def unsubscribe_bars(self) -> Answer:
        if self.kept is not None:
            self.trader.unsubscribe_bars(self.kept[0])
        return {}

    async def subscribe_real_time_bars(self, symbol: str) -> Answer:
        self.real_time = type_ = bar_type(symbol, "5 secs")
        await self._sent(1, lambda: self.trader.subscribe_bars(type_))
        return {}

    async def unsubscribe_real_time_bars(self, symbol: str) -> Answer:
        self.trader.unsubscribe_bars(bar_type(symbol, "5 secs"))
        return {}

    async def real_time_bars(self, count: int) -> Answer:
        type_ = self.real_time
        await self.until(lambda: len(self.trader.bars.get(type_, ())) >= count)
        return self._bars_since(type_, 0)

    async def life_cycles(self, symbol: str, count: int) -> Answer:
        began, cpu = time.perf_counter(), time.process_time()
        for number in range(count):
            ref = f"cycle-{self.asked}-{number}"
            order = self.trader.order(ref=ref, symbol=symbol, action="BUY", quantity=1, type="MKT")
            self.trader.submit_order(order)
            await self.until(partial(_is_filled, order))
        self.asked += 1
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        return {"seconds": seconds, "cpu_seconds": used}

    async def usage(self) -> Answer:
        return {"cpu_seconds": time.process_time()}

    async def until(self, holds: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
        """Wait for news until this is true. Raises TimeoutError with what was heard instead."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise TimeoutError(f"not heard in {seconds} s; {self._story()}") from None

    async def _sent(self, count: int, act: Callable[[], None]) -> None:
        """Do it, and wait until the adapter has sent so many requests for it."""
        await self.client.wait_until_ready(WAIT_SECONDS)
        before = self.ear.sent
        act()
        await self.until(lambda: self.ear.sent >= before + count)

    def _story(self) -> str:
        orders = {o.client_order_id.value: o.status_string() for o in self.trader.cache.orders()}
        return f"statuses {self.ear.statuses}, codes {self.ear.codes}, orders {orders}"

    async def _request_bars(self, type_: BarType, duration: str) -> None:
        """The gateway's own time is that of its greeting; NautilusTrader's is the wall's."""
        count, unit = duration.split()
        span = timedelta(seconds=int(count) * DURATION_UNITS[unit])
        end = _instant(self.client._eclient.connTime.decode()) + span
        done: list[Any] = []
        self.trader.request_bars(type_, start=end - span, end=end, callback=done.append)
        await self.until(lambda: done)

    def _bars_since(self, type_: BarType | None, start: int) -> list[list[float]]:
        bars = sorted(self.trader.bars.get(type_, {}).items())
        return [
            [begin, *map(float, (bar.open, bar.high, bar.low, bar.close, bar.volume))]
            for begin, bar in bars
            if begin >= start
        ]

    def _known(self, ref: str) -> Any:
        order = self.trader.cache.order(ClientOrderId(ref))
        if order is None:
            raise LookupError(f"NautilusTrader knows no order {ref}; {self._story()}")
        return order

    def _heard(self, order: Any, ref: str) -> Answer:
        opened = self.ear.opened[ref]
        return {
            "statuses": list(self.ear.statuses.get(ref, ())),
            "filled": float(order.filled_qty),
            "remaining": float(order.leaves_qty),
            "average_price": float(order.avg_px or 0),
            "executions": [_execution(fill) for fill in _fills(order)],
            "errors": self.ear.codes.get(ref, []),
            "type": opened.orderType,
            "quantity": float(opened.totalQuantity),
            "limit": opened.lmtPrice,
            "parent": self.ear.ref(opened.parentId),
            "oca_group": opened.ocaGroup,
        }


def _instant(greeting: str) -> datetime:
    return datetime.strptime(greeting, "%Y%m%d %H:%M:%S UTC").replace(tzinfo=UTC)


def _is_filled(order: Any) -> bool:
    return bool(order.status == OrderStatus.FILLED)


def _fills(order: Any) -> list[OrderFilled]:
    return [event for event in order.events if isinstance(event, OrderFilled)]


def _executed(order: Any) -> int:
    return sum(int(fill.last_qty) for fill in _fills(order))


def _execution(fill: OrderFilled) -> dict[str, Any]:
    return {
        "side": SIDES[fill.order_side],
        "quantity": float(fill.last_qty),
        "price": float(fill.last_px),
        "commission": float(fill.commission),
        "currency": fill.commission.currency.code,
    }


async def _serve(port: int, arguments: dict[str, Any], answers: TextIO) -> str:
    """One session, until `disconnect` was asked for; its answer, or "" at the end of the input."""
    session = Session(port, **arguments)
    try:
        _say(answers, await _tried(session.start()))
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            said = await _tried(session.answer(**asked))
            if asked["verb"] == "disconnect":
                return said
            _say(answers, said)
        return ""
    finally:
        if not session.running.done():
            await session.disconnect()


async def _tried(answering: Awaitable[Answer]) -> str:
    try:
        return json.dumps({"answer": await answering})
    except Exception as error:
        return json.dumps({"error": f"{type(error).__name__}: {error}"})


def _say(answers: TextIO, line: str) -> None:
    print(line, file=answers, flush=True)


def _session(port: int, arguments: dict[str, Any], answers: TextIO) -> None:
    """A session in a loop of its own; the adapter keeps its clients, and they are bound to it."""
    factories.IB_CLIENTS.clear()
    factories.IB_INSTRUMENT_PROVIDERS.clear()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    said = loop.run_until_complete(_serve(port, arguments, answers))
    loop.close()
    if said:
        _say(answers, said)


def main() -> None:
    """Answer every line until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    port = int(sys.argv[1])
    while line := sys.stdin.readline():
        asked = json.loads(line)
        if asked["verb"] == "connect":
            _session(port, asked["arguments"], answers)
        elif asked["verb"] == "disconnect":
            _say(answers, json.dumps({"answer": {"connected": False}}))
        else:
            _say(answers, json.dumps({"error": f"{asked['verb']}: not connected"}))


if __name__ == "__main__":
    main()
