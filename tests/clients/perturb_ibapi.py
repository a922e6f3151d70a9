"""What the official client makes of orders, in its own environment, without a network.

Reads from standard input a JSON list of messages, each a list of texts: openOrder, completedOrder.
Writes one JSON object. `sent`: attribute of Order or Contract to the fields of placeOrder when it
alone is changed, "" for the unchanged order. `read`: for each message the attributes of the Order.
"""

import json
import sys
from typing import Any

from ibapi.client import EClient  # type: ignore[import-not-found]
from ibapi.contract import Contract  # type: ignore[import-not-found]
from ibapi.decoder import Decoder  # type: ignore[import-not-found]
from ibapi.order import Order  # type: ignore[import-not-found]
from ibapi.wrapper import EWrapper  # type: ignore[import-not-found]

VERSION = 157


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
    """Keeps the order of the last message read."""

    order: Any = None

    def openOrder(self, _id: int, _contract: Any, order: Any, _state: Any) -> None:  # noqa: N802
        self.order = order

    def completedOrder(self, _contract: Any, order: Any, _state: Any) -> None:  # noqa: N802
        self.order = order

    def error(self, *arguments: Any) -> None:
        raise ValueError(arguments)


def changed(value: Any) -> Any:
    """Another value of the same kind, or None where one field does not hold it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return 7
    return "seven" if isinstance(value, str) else None


def plain_order() -> Any:
    order = Order()
    order.action, order.orderType, order.totalQuantity, order.lmtPrice = "BUY", "LMT", 1, 5
    return order


def written(contract: Any, order: Any) -> list[str]:
    client, socket = EClient(EWrapper()), Written()
    client.conn, client.connState, client.serverVersion_ = socket, EClient.CONNECTED, VERSION
    client.placeOrder(3, contract, order)
    length, payload = int.from_bytes(socket.data[:4], "big"), socket.data[4:]
    assert length == len(payload)
    return payload.decode().split("\0")[:-1]


def all_sent() -> dict[str, list[str]]:
    sent = {"": written(Contract(), plain_order())}
    for name, value in vars(Contract()).items():
        if changed(value) is not None:
            contract = Contract()
            setattr(contract, name, changed(value))
            sent[name] = written(contract, plain_order())
    for name, value in vars(plain_order()).items():
        if changed(value) is not None:
            order = plain_order()
            setattr(order, name, changed(value))
            sent[name] = written(Contract(), order)
    return sent


def read(fields: list[str]) -> dict[str, Any]:
    listener = Listener()
    Decoder(listener, VERSION).interpret(tuple(text.encode() for text in fields))
    order = vars(listener.order)
    return {name: value for name, value in order.items() if changed(value) is not None}


if __name__ == "__main__":
    messages = json.loads(sys.stdin.read())
    answer = {"sent": all_sent(), "read": [read(fields) for fields in messages]}
    sys.stdout.write(json.dumps(answer))
