"""Plays the steps of test_both_clients.py with the official client, in its own environment.

Run by the test as `python drive_ibapi.py PORT STEPS`, STEPS a JSON list of [verb, arguments]. Each
step prints one line of JSON. The client is 9.81.1.post1, which speaks server version 157.
"""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

from ibapi.client import EClient  # type: ignore[import-not-found]
from ibapi.contract import Contract  # type: ignore[import-not-found]
from ibapi.execution import ExecutionFilter  # type: ignore[import-not-found]
from ibapi.order import Order  # type: ignore[import-not-found]
from ibapi.wrapper import EWrapper  # type: ignore[import-not-found]

TIMEOUT_SECONDS = 10
BID, ASK, LAST = 1, 2, 4


class Listener(EWrapper, EClient):  # type: ignore[misc]
    """Keeps every callback as (name, arguments); the client's own thread calls them."""

    def __init__(self) -> None:
        EClient.__init__(self, self)
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self.news = threading.Condition()

    def note(self, name: str, *arguments: Any) -> None:
        with self.news:
            self.heard.append((name, arguments))
            self.news.notify_all()

    def all(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for other, arguments in list(self.heard) if other == name]

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something heard makes this true. Raises TimeoutError with what was heard."""
        with self.news:
            if not self.news.wait_for(holds, TIMEOUT_SECONDS):
                raise TimeoutError(f"heard only {self.heard[-20:]}")
        return holds()


def noting(name: str) -> Callable[..., None]:
    def callback(self: Listener, *arguments: Any) -> None:
        self.note(name, *arguments)

    return callback


CALLBACKS = (
    "nextValidId managedAccounts contractDetails contractDetailsEnd historicalData "
    "historicalDataEnd updateAccountValue accountDownloadEnd position positionEnd openOrder "
    "orderStatus execDetails execDetailsEnd commissionReport completedOrder completedOrdersEnd "
    "tickPrice tickSnapshotEnd error connectionClosed"
)
for name in CALLBACKS.split():
    setattr(Listener, name, noting(name))


class Driver:
    """One verb a method; each returns what JSON can say."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.client = Listener()
        self.order_id = 0
        self.request_id = 1000

    def connect(self, client_id: int) -> Any:
        self.client = Listener()
        self.client.connect("127.0.0.1", self.port, client_id)
        threading.Thread(target=self.client.run, daemon=True).start()
        ((order_id,),) = self.client.until(lambda: self.client.all("nextValidId"))
        ((accounts,),) = self.client.until(lambda: self.client.all("managedAccounts"))
        grew, self.order_id = order_id > self.order_id, max(self.order_id + 1, order_id)
        return {"accounts": accounts.split(","), "order_ids_go_on": grew}

    def disconnect(self) -> Any:
        reader = self.client.reader
        self.client.disconnect()
        # Its reading thread holds the socket open for up to a second more.
        reader.join(TIMEOUT_SECONDS)
        return self.client.isConnected()

    def contract_details(self) -> Any:
        id_ = self.next_request()
        self.client.reqContractDetails(id_, spy())
        self.client.until(lambda: (id_,) in self.client.all("contractDetailsEnd"))
        return [
            [d.contract.conId, d.contract.symbol, d.minTick, d.timeZoneId, d.longName]
            for _, d in self.client.all("contractDetails")
        ]

    def historical_bars(self, duration: str, size: str) -> Any:
        id_ = self.next_request()
        self.client.reqHistoricalData(
            id_, spy(), "", duration, size, "TRADES", 1, 2, False, []
        )  # fmt: skip
        self.client.until(lambda: self.client.all("historicalDataEnd"))
        bars = [bar for _, bar in self.client.all("historicalData")]
        return [[int(b.date), b.open, b.high, b.low, b.close, float(b.volume)] for b in bars]

    def account_values(self, tags: list[str]) -> Any:
        self.client.reqAccountUpdates(True, "")
        self.client.until(lambda: self.client.all("accountDownloadEnd"))
        rows = self.client.all("updateAccountValue")
        return {f"{key} {currency}": value for key, value, currency, _ in rows if key in tags}

    def positions(self) -> Any:
        done = len(self.client.all("positionEnd"))
        before = len(self.client.all("position"))
        self.client.reqPositions()
        self.client.until(lambda: len(self.client.all("positionEnd")) > done)
        rows = self.client.all("position")[before:]
        self.client.cancelPositions()
        return [[contract.symbol, float(size), cost] for _, contract, size, cost in rows]

    def what_if(self, quantity: int) -> Any:
        order = make_order(quantity=quantity, ref="asked")
        order.whatIf = True
        id_ = self.place(order)
        state = self.client.until(lambda: self.opened(id_))[-1]
        return [state.initMarginBefore, state.initMarginChange, state.commission]

    def snapshot(self) -> Any:
        id_ = self.next_request()
        self.client.reqMktData(id_, spy(), "", True, False, [])
        self.client.until(lambda: (id_,) in self.client.all("tickSnapshotEnd"))
        prices = {kind: price for id__, kind, price, _ in self.client.all("tickPrice")}
        return [prices[BID], prices[ASK], prices[LAST]]

    def fill_market_order(self, quantity: int, ref: str) -> Any:
        id_ = self.place(make_order(quantity=quantity, ref=ref))
        self.client.until(lambda: self.status(id_) == "Filled")
        (report,) = self.client.until(lambda: self.client.all("commissionReport"))[-1]
        (execution,) = [e for _, _, e in self.client.all("execDetails") if e.orderId == id_]
        assert execution.execId == report.execId
        return [execution.orderRef, float(execution.shares), execution.price, report.commission]

    def rest_and_cancel(self, price: float, ref: str) -> Any:
        order = make_order(quantity=10, ref=ref)
        order.orderType, order.lmtPrice = "LMT", price
        id_ = self.place(order)
        self.client.until(lambda: self.status(id_) == "Submitted")
        resting = self.status(id_)
        self.client.cancelOrder(id_)
        self.client.until(lambda: self.status(id_) == "Cancelled")
        codes = self.client.until(lambda: [row[1] for row in self.errors(id_)])
        return [resting, self.status(id_), codes]

    def executions(self) -> Any:
        id_ = self.next_request()
        self.client.reqExecutions(id_, ExecutionFilter())
        self.client.until(lambda: (id_,) in self.client.all("execDetailsEnd"))
        rows = [row for row in self.client.all("execDetails") if row[0] == id_]
        return [
            [c.symbol, e.side, float(e.shares), e.price, e.orderRef, e.execId] for _, c, e in rows
        ]

    def completed_orders(self) -> Any:
        self.client.reqCompletedOrders(False)
        self.client.until(lambda: self.client.all("completedOrdersEnd"))
        rows = self.client.all("completedOrder")
        return sorted([o.orderRef, s.status, float(o.filledQuantity)] for _, o, s in rows)

    def opened(self, order_id: int) -> list[Any]:
        rows = self.client.all("openOrder")
        return [state for id_, _, _, state in rows if id_ == order_id]

    def status(self, order_id: int) -> str:
        rows = [row[1] for row in self.client.all("orderStatus") if row[0] == order_id]
        return str(rows[-1]) if rows else ""

    def errors(self, order_id: int) -> list[tuple[Any, ...]]:
        return [row for row in self.client.all("error") if row[0] == order_id]

    def place(self, order: Any) -> int:
        self.order_id += 1
        self.client.placeOrder(self.order_id, spy(), order)
        return self.order_id

    def next_request(self) -> int:
        self.request_id += 1
        return self.request_id


def spy() -> Any:
    contract = Contract()
    contract.symbol, contract.secType = "SPY", "STK"
    contract.exchange, contract.currency = "SMART", "USD"
    return contract


def make_order(quantity: int, ref: str) -> Any:
    order = Order()
    order.action, order.orderType, order.totalQuantity = "BUY", "MKT", quantity
    order.tif, order.orderRef = "DAY", ref
    # These two are on by default in 9.81, and IB no longer takes them (error 10268).
    order.eTradeOnly = order.firmQuoteOnly = False
    return order


if __name__ == "__main__":
    driver = Driver(int(sys.argv[1]))
    try:
        for verb, arguments in json.loads(sys.argv[2]):
            print(json.dumps(getattr(driver, verb)(**arguments)), flush=True)
    finally:
        driver.client.disconnect()  # the process would wait for its reading thread
