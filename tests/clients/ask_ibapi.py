"""Every request that the official client can send, in its own environment, without a network.

Run as `python ask_ibapi.py VERSION`. Calls every method that asks for something with values that
differ from each other, and writes one JSON object: each method with the `fields` it sent, and the
numbers and texts that it was given (`said`). What the client refuses at this version is left out.
"""

import inspect
import itertools
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from ibapi.client import EClient  # type: ignore[import-not-found]
from ibapi.contract import Contract  # type: ignore[import-not-found]
from ibapi.execution import ExecutionFilter  # type: ignore[import-not-found]
from ibapi.wrapper import EWrapper  # type: ignore[import-not-found]

VERSION = int(sys.argv[1])
ASKING = re.compile(
    "(req|cancel|calculate|exercise|query|replace|set|subscribe|unsubscribe|update|start)"
)
NOT_SENT = re.compile(".*ProtoBuf|setConn.*|setOptionalCapabilities")
FIXED = {
    "useRTH": 1, "useRth": 1, "formatDate": 1, "marketDataType": 1,
    "customerAccount": "", "professionalCustomer": False,
}  # fmt: skip
"""Numbers of which only some mean anything, and what the client refuses before later versions."""
NOT_EVERYWHERE = frozenset(
    {
        "comboLegsDescrip", "description", "issuerId", "lastNDays", "lastTradeDate",
        "manualOrderIndicator", "secId", "secIdType",
    }
)  # fmt: skip
"""Attributes of contracts and filters that few requests or later versions have."""
TOLD = (Contract, ExecutionFilter)


class Connection:
    """Stands in for the connection: keeps what is sent."""

    def __init__(self) -> None:
        self.data = b""

    def isConnected(self) -> bool:  # noqa: N802 - the client's name
        return True

    def disconnect(self) -> None:
        """Nothing to close."""

    def sendMsg(self, data: bytes) -> None:  # noqa: N802 - the client's name
        self.data += data


class Listener(EWrapper):  # type: ignore[misc]
    """Hears nothing: a refusal shows in that nothing is sent."""

    def error(self, *_: Any) -> None:
        """The client's own word on a request."""


def argument(name: str, kind: Any, numbers: Iterator[int]) -> Any:
    """A value for a parameter."""
    if name in FIXED:
        return FIXED[name]
    plain: dict[Any, Any] = {int: next(numbers), str: f"text{next(numbers)}", bool: True, list: []}
    if kind in plain:
        return plain[kind]
    if kind is float:
        return next(numbers) + 0.5
    thing = kind()
    for attribute, value in vars(thing).items():
        if attribute == "strike":
            thing.strike = float(next(numbers))
        elif type(value) in plain and kind in TOLD and attribute not in NOT_EVERYWHERE:
            setattr(thing, attribute, argument(attribute, type(value), numbers))
    return thing


def plain(value: Any) -> Iterator[Any]:
    """All numbers and texts inside."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value
    elif hasattr(value, "__dict__"):
        for name, item in vars(value).items():
            if name not in NOT_EVERYWHERE:
                yield from plain(item)


def asked(method: Any) -> dict[str, Any]:
    client, connection, numbers = EClient(Listener()), Connection(), itertools.count(1001)
    client.conn, client.connState, client.serverVersion_ = connection, client.CONNECTED, VERSION
    client.clientId, client.optCapab = next(numbers), f"text{next(numbers)}"
    _, *parameters = inspect.signature(method).parameters.values()
    arguments = [argument(one.name, one.annotation, numbers) for one in parameters]
    method(client, *arguments)
    length, payload = int.from_bytes(connection.data[:4], "big"), connection.data[4:]
    if length != len(payload):
        raise ValueError(f"{method} sent more than one message")
    return {
        "fields": payload.decode().split("\0")[:-1],
        "said": [value for given in arguments for value in plain(given)],
    }


if __name__ == "__main__":
    found = {
        name: asked(method)
        for name, method in inspect.getmembers(EClient, inspect.isfunction)
        if ASKING.match(name) and not NOT_SENT.fullmatch(name)
    }
    sys.stdout.write(json.dumps({name: one for name, one in found.items() if one["fields"]}))
