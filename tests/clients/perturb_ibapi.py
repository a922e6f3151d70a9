"""What the official client makes of orders, in its own environment, without a network.

Run as `python perturb_ibapi.py VERSION` by 9.81.1.post1 or a build of 2026, for the server version
that it shall believe in. Writes one JSON object. `sent`: for each kind of order the attributes of
Order or Contract with the fields of placeOrder when one alone is changed, "" for the unchanged
order; `refused`: attributes that the client refuses to send at this version.
"""

import json
import math
import sys
from decimal import Decimal
from typing import Any

from ibapi.client import EClient  # type: ignore[import-not-found]
from ibapi.contract import Contract  # type: ignore[import-not-found]
from ibapi.order import Order  # type: ignore[import-not-found]
from ibapi.order_condition import VolumeCondition  # type: ignore[import-not-found]
from ibapi.wrapper import EWrapper  # type: ignore[import-not-found]

VERSION = int(sys.argv[1])
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "scale": ({"scalePriceIncrement": 1}, {}),
    "hedge": ({"hedgeType": "D"}, {}),
    "delta neutral": ({"deltaNeutralOrderType": "MKT"}, {}),
    "benchmark": ({"orderType": "PEG BENCH"}, {}),
    "best": ({"orderType": "PEG BEST", "competeAgainstBestOffset": 1}, {}),
    "best to the middle": ({"orderType": "PEG BEST", "competeAgainstBestOffset": math.inf}, {}),
    "middle": ({"orderType": "PEG MID"}, {}),
    "alternative trading system": ({}, {"exchange": "IBKRATS"}),
    "conditional": ({"conditions": [VolumeCondition(8314, "SMART", True, 100)]}, {}),
}
"""Orders that open each of the blocks that a plain order leaves out: of the order, the contract."""


class Refused(Exception):
    """The client does not send this at this version."""


class Written:
    """Stands in for the connection: keeps the last message."""

    data = b""

    def isConnected(self) -> bool:  # noqa: N802 - the client's name
        return True

    def disconnect(self) -> None:
        """Nothing to close."""

    def sendMsg(self, data: bytes) -> None:  # noqa: N802 - the client's name
        self.data = data


class Listener(EWrapper):  # type: ignore[misc]
    """Hears what the client itself says against an order."""

    def error(self, *arguments: Any) -> None:
        raise Refused(arguments)


def changed(value: Any) -> Any:
    """Another value of the same kind, or None where one field does not hold it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float | Decimal):
        return 7
    return "seven" if isinstance(value, str) else None


def make_order(kind: str) -> Any:
    order = Order()
    order.action, order.orderType, order.totalQuantity, order.lmtPrice = "BUY", "LMT", 1, 5
    order.tif = "DAY"
    for name in {"eTradeOnly", "firmQuoteOnly"} & set(vars(order)):
        setattr(order, name, False)  # on by default in 9.81, and no longer taken by IB (10268)
    vars(order).update(KINDS[kind][0])
    return order


def make_contract(kind: str) -> Any:
    contract = Contract()
    contract.symbol, contract.secType = "SPY", "STK"
    contract.exchange, contract.currency = "SMART", "USD"
    vars(contract).update(KINDS[kind][1])
    return contract


def written(contract: Any, order: Any) -> list[str]:
    client, socket = EClient(Listener()), Written()
    client.conn, client.connState, client.serverVersion_ = socket, EClient.CONNECTED, VERSION
    client.placeOrder(3, contract, order)
    length, payload = int.from_bytes(socket.data[:4], "big"), socket.data[4:]
    assert length == len(payload)
    return payload.decode().split("\0")[:-1]


def all_sent(kind: str) -> tuple[dict[str, list[str]], list[str]]:
    try:
        sent, refused = {"": written(make_contract(kind), make_order(kind))}, list[str]()
    except Refused:
        return {}, []
    for owner, make in enumerate((make_contract, make_order)):
        for name, value in vars(make(kind)).items():
            if changed(value) is None:
                continue
            pair = [make_contract(kind), make_order(kind)]
            setattr(pair[owner], name, changed(value))
            try:
                sent[name] = written(*pair)
            except Refused:
                refused.append(name)
    return sent, refused


if __name__ == "__main__":
    tried = {kind: all_sent(kind) for kind in KINDS}
    sent = {kind: sent for kind, (sent, _) in tried.items() if sent}
    sys.stdout.write(json.dumps({"sent": sent, "refused": tried["plain"][1]}))
