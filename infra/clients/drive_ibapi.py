"""Plays the script with the official Python client, in an environment of its own.

Run as `python drive_ibapi.py PORT`; verbs and answers are those of script.py. One driver for two
builds, 9.81.1.post1 and those of today; what sets them apart is `Build` in ibapi_listener.py.

A verb also answers an error when the client complained by itself meanwhile: a line of its decoder's
log, a code that only clients use, or its loop that died.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

from ibapi.contract import Contract  # type: ignore[import-not-found]
from ibapi.execution import ExecutionFilter  # type: ignore[import-not-found]
from ibapi.order import Order  # type: ignore[import-not-found]
from ibapi_listener import (  # type: ignore[import-not-found]
    BUILD,
    WAIT_SECONDS_MAX,
    Complaints,
    Failed,
    Listener,
)

REQUESTS_FROM: Final = 1_000_000
"""Request ids begin here, far from order ids: errors name either."""
TICKS: Final = {"bid": 1, "ask": 2, "last": 4}
MADE_UP: Final = frozenset({"PendingSubmit", "PendingCancel", "ApiPending"})
TERMS: Final = {
    "ref": "orderRef", "action": "action", "quantity": "totalQuantity", "type": "orderType",
    "limit": "lmtPrice", "stop": "auxPrice", "trail": "auxPrice", "transmit": "transmit",
    "oca_group": "ocaGroup", "oca_type": "ocaType",
}  # fmt: skip
"""The script's words to attributes of Order."""


class Driver:
    """One verb a method; each returns what JSON can say."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.complaints = Complaints()
        self.client = Listener(self.complaints)
        self.loop = threading.Thread()
        self.next_order_id = 0
        self.last_request = REQUESTS_FROM
        self.ids: dict[str, int] = {}
        self.orders: dict[str, tuple[Any, Any]] = {}
        self.requests: dict[str, int] = {}

    def connect(self, client_id: int) -> Any:
        self.client = client = Listener(self.complaints)
        client.connect("127.0.0.1", self.port, client_id)
        self.loop = threading.Thread(target=client.run, daemon=True)
        self.loop.start()
        client.until(lambda: client.said("nextValidId") and client.said("managedAccounts"))
        (first,), (accounts,) = client.said("nextValidId")[0], client.said("managedAccounts")[0]
        if first < self.next_order_id:  # another gateway: what was placed at the last one is gone
            self.ids, self.orders = {}, {}
        self.next_order_id = first
        return {
            "accounts": accounts.split(","),
            "next_order_id": first,
            "server_version": client.serverVersion(),
        }

    def disconnect(self) -> Any:
        client, reader = self.client, self.client.reader
        if reader is not None and (sock := client.conn.socket) is not None:
            # `disconnect` alone leaves the socket open until the reading thread wakes, up to 1 s.
            sock.shutdown(socket.SHUT_RDWR)
            reader.join(WAIT_SECONDS_MAX)
        client.disconnect()
        if self.loop.ident:
            self.loop.join(WAIT_SECONDS_MAX)
        return {"connected": bool(client.isConnected())}

    def contract_details(self, symbol: str) -> Any:
        id_ = self.next_request()
        self.client.reqContractDetails(id_, share(symbol))
        self.ended("contractDetailsEnd", id_)
        return [
            {
                "con_id": details.contract.conId,
                "symbol": details.contract.symbol,
                "security_type": details.contract.secType,
                "currency": details.contract.currency,
                "min_tick": details.minTick,
                "time_zone": details.timeZoneId,
                "long_name": details.longName,
            }
            for (details,) in self.client.said("contractDetails", id_)
        ]

    def bars(self, symbol: str, duration: str, size: str) -> Any:
        return self.history(share(symbol), duration, size, is_updated=False)

    def subscribe_bars(self, symbol: str, duration: str, size: str) -> Any:
        return self.history(share(symbol), duration, size, is_updated=True)

    def history(self, contract: Any, duration: str, size: str, *, is_updated: bool) -> Any:
        id_ = self.requests["bars"] = self.next_request()
        self.client.reqHistoricalData(
            id_, contract, "", duration, size, "TRADES", 1, 2, is_updated, []
        )  # fmt: skip
        self.ended("historicalDataEnd", id_)
        return as_rows(bar for (bar,) in self.client.said("historicalData", id_))

    def bar_updates(self, start: int) -> Any:
        id_, said = self.requests["bars"], self.client.said
        updates = self.client.until(
            lambda: (
                [bar for (bar,) in said("historicalDataUpdate", id_) if int(bar.date) == start]
                and said("historicalDataUpdate", id_)
            )
        )
        self.settle()
        bars = {int(bar.date): bar for (bar,) in [*said("historicalData", id_), *updates]}
        return as_rows(bars[moment] for moment in sorted(bars))

    def unsubscribe_bars(self) -> Any:
        self.client.cancelHistoricalData(self.requests.pop("bars"))
        return self.settle()

    def subscribe_real_time_bars(self, symbol: str) -> Any:
        id_ = self.requests["real time"] = self.next_request()
        self.client.reqRealTimeBars(id_, share(symbol), 5, "TRADES", True, [])
        return self.settle()

    def real_time_bars(self, count: int) -> Any:
        id_, said = self.requests["real time"], self.client.said
        rows = self.client.until(
            lambda: len(said("realtimeBar", id_)) >= count and said("realtimeBar", id_)
        )
        return [list(row[:6]) for row in rows]

    def unsubscribe_real_time_bars(self, symbol: str) -> Any:
        del symbol
        self.client.cancelRealTimeBars(self.requests.pop("real time"))
        return self.settle()

    def account(self, tags: list[str]) -> Any:
        self.client.reqAccountUpdates(True, "")
        self.ended("accountDownloadEnd")
        self.client.reqAccountUpdates(False, "")
        rows = self.client.said("updateAccountValue")
        (base,) = {currency for key, _, currency, _ in rows if key == "NetLiquidation"}
        return {
            key: float(value)
            for key, value, currency, _ in rows
            if key in tags and currency == base
        }

    def positions(self) -> Any:
        before = len(self.client.said("position"))
        self.client.reqPositions()
        self.ended("positionEnd")
        self.client.cancelPositions()
        rows = self.client.said("position")[before:]
        return [[contract.symbol, size, cost] for _, contract, size, cost in rows]

    def place(self, **terms: Any) -> Any:
        self.send(terms["ref"], share(terms["symbol"]), self.make_order(terms))
        return self.settle()

    def modify(self, ref: str, **changes: Any) -> Any:
        contract, order = self.orders[ref]
        for term, value in changes.items():
            setattr(order, TERMS[term], value)
        self.client.placeOrder(self.ids[ref], contract, order)
        return self.settle()

    def cancel(self, ref: str) -> Any:
        self.client.cancelOrder(self.ids[ref], *BUILD.cancelling)
        return self.settle()

    def order(self, ref: str, until: str, filled: float = 0) -> Any:
        id_ = self.ids[ref]
        self.client.until(lambda: self.is_told(id_, until, filled))
        self.settle()  # a notice that belongs to the status may come after it
        _, done, left, average, *_ = self.client.said("orderStatus", id_)[-1]
        _, order, _ = self.client.said("openOrder", id_)[-1]
        return {
            "statuses": self.statuses(id_), "filled": done, "remaining": left,
            "average_price": average,
            "executions": [self.as_execution(e) for e in self.client.executed[id_].values()],
            "errors": [code for code, _ in self.client.said("error", id_)],
            "type": order.orderType, "quantity": order.totalQuantity, "limit": order.lmtPrice,
            "parent": self.ref_of(order.parentId), "oca_group": order.ocaGroup,
        }  # fmt: skip

    def what_if(self, **terms: Any) -> Any:
        order = self.make_order(terms)
        order.whatIf = True
        id_ = self.send(terms["ref"], share(terms["symbol"]), order)
        said = self.client.said
        self.client.until(lambda: said("openOrder", id_) or said("error", id_))
        if not said("openOrder", id_):
            raise Failed(f"the what-if was answered by {said('error', id_)}")
        _, _, state = said("openOrder", id_)[-1]
        return {
            "initial_margin_before": float(state.initMarginBefore),
            "initial_margin_change": float(state.initMarginChange),
            "maintenance_margin_change": float(state.maintMarginChange),
            "equity_with_loan_after": float(state.equityWithLoanAfter),
            "commission": getattr(state, BUILD.commission),
            "currency": getattr(state, BUILD.commission + "Currency"),
        }

    def open_orders(self) -> Any:
        before = {key: len(rows) for key, rows in self.client.heard.items()}
        self.client.reqOpenOrders()
        self.ended("openOrderEnd")
        rows = [
            rows[-1]
            for key, rows in list(self.client.heard.items())
            if key[0] == "openOrder" and len(rows) > before.get(key, 0)
        ]
        return by_ref(
            {"ref": order.orderRef, "status": state.status, "quantity": order.totalQuantity}
            for _, order, state in rows
        )

    def completed_orders(self) -> Any:
        before = len(self.client.said("completedOrder"))
        self.client.reqCompletedOrders(False)
        self.ended("completedOrdersEnd")
        return by_ref(
            {"ref": order.orderRef, "status": state.status, "filled": order.filledQuantity}
            for _, order, state in self.client.said("completedOrder")[before:]
        )

    def executions(self) -> Any:
        id_ = self.next_request()
        self.client.reqExecutions(id_, ExecutionFilter())
        self.ended("execDetailsEnd", id_)
        return [
            {
                "ref": execution.orderRef, "symbol": contract.symbol, "side": execution.side,
                "quantity": execution.shares, "price": execution.price,
                "id": execution.execId,
            }
            for contract, execution in self.client.said("execDetails", id_)
        ]  # fmt: skip

    def snapshot(self, symbol: str) -> Any:
        id_ = self.next_request()
        self.client.reqMktData(id_, share(symbol), "", True, False, [])
        self.ended("tickSnapshotEnd", id_)
        return self.newest(id_)

    def subscribe_quotes(self, symbol: str) -> Any:
        id_ = self.requests["quotes " + symbol] = self.next_request()
        self.client.reqMktData(id_, share(symbol), "", False, False, [])
        return self.settle()

    def quotes(self, symbol: str, last: float) -> Any:
        id_ = self.requests["quotes " + symbol]
        self.client.until(lambda: self.newest(id_)["last"] == last)
        self.settle()
        return self.newest(id_)

    def unsubscribe_quotes(self, symbol: str) -> Any:
        self.client.cancelMktData(self.requests.pop("quotes " + symbol))
        return self.settle()

    def life_cycles(self, symbol: str, count: int) -> Any:
        contract, started, used = share(symbol), time.perf_counter(), time.process_time()
        for index in range(count):
            order = self.make_order({"action": "BUY", "quantity": 1, "type": "MKT"})
            self.await_filled(self.send(f"cycle {index}", contract, order))
        return {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - used,
        }

    def await_filled(self, id_: int) -> None:
        self.client.until(lambda: self.is_told(id_, "Filled", 1))

    def usage(self) -> Any:
        return {"cpu_seconds": time.process_time()}

    def settle(self) -> Any:
        """All that was sent has been read, and all answers to it have been heard."""
        self.client.reqCurrentTime()
        self.ended("currentTime")
        return {}

    def ended(self, name: str, id_: int = 0) -> None:
        """The end of an answer is heard, each time once. Raises `Failed` with an error for it."""
        said = self.client.said
        self.client.until(lambda: said(name, id_) or (id_ and said("error", id_)))
        if not said(name, id_):
            raise Failed(f"{name} never came, but {said('error', id_)}")
        self.client.heard.pop((name, id_))

    def is_told(self, id_: int, status: str, filled: float) -> bool:
        """Whether the order has this status, is filled that far, and all commissions are known."""
        told = self.client.said("orderStatus", id_)
        if not told or told[-1][0] != status or told[-1][1] < filled:
            return False
        executions = list(self.client.executed[id_].values())
        done = sum(execution.shares for execution in executions)
        return done >= filled and all(e.execId in self.client.commissions for e in executions)

    def statuses(self, id_: int) -> list[str]:
        """Those that the gateway told, repetitions left out."""
        told: list[str] = []
        for status, *_ in self.client.said("orderStatus", id_):
            if status not in MADE_UP and told[-1:] != [status]:
                told.append(status)
        return told

    def as_execution(self, execution: Any) -> Any:
        report = self.client.commissions[execution.execId]
        return {
            "side": execution.side, "quantity": execution.shares, "price": execution.price,
            "commission": getattr(report, BUILD.commission), "currency": report.currency,
        }  # fmt: skip

    def newest(self, id_: int) -> dict[str, Any]:
        ticks = {kind: price for kind, price, _ in list(self.client.said("tickPrice", id_))}
        return {name: ticks.get(number) for name, number in TICKS.items()}

    def make_order(self, terms: dict[str, Any]) -> Any:
        order = Order()
        order.tif = "DAY"
        for name in BUILD.switched_off:
            setattr(order, name, False)
        for term, value in terms.items():
            if term in TERMS:
                setattr(order, TERMS[term], value)
        if "parent" in terms:
            order.parentId = self.ids[terms["parent"]]
        return order

    def send(self, ref: str, contract: Any, order: Any) -> int:
        id_, self.next_order_id = self.next_order_id, self.next_order_id + 1
        self.ids[ref], self.orders[ref] = id_, (contract, order)
        self.client.placeOrder(id_, contract, order)
        return id_

    def ref_of(self, order_id: int) -> str:
        return next((ref for ref, id_ in self.ids.items() if id_ == order_id), "")

    def next_request(self) -> int:
        self.last_request += 1
        return self.last_request


def share(symbol: str) -> Any:
    contract = Contract()
    contract.symbol, contract.secType = symbol, "STK"
    contract.exchange, contract.currency = "SMART", "USD"
    return contract


def as_rows(bars: Iterable[Any]) -> list[Any]:
    return [[int(b.date), b.open, b.high, b.low, b.close, b.volume] for b in bars]


def by_ref(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["ref"]))


def answer(driver: Driver, line: str) -> dict[str, Any]:
    """One line's answer."""
    asked = json.loads(line)
    try:
        said = getattr(driver, asked["verb"])(**asked["arguments"])
        driver.complaints.check()
    except Failed as error:
        return {"error": str(error)}
    except Exception as error:  # the protocol knows no other way to say it
        return {"error": f"{asked['verb']}: {error!r}; {driver.complaints.sentences}"}
    return {"answer": said}


def main() -> None:
    """Answer line by line until the input ends."""
    out, sys.stdout = sys.stdout, sys.stderr  # what the library prints is no answer
    driver = Driver(int(sys.argv[1]))
    try:
        for line in sys.stdin:
            print(json.dumps(answer(driver, line), default=float), file=out, flush=True)
    finally:
        driver.client.disconnect()  # the process would wait for its reading thread


if __name__ == "__main__":
    main()
