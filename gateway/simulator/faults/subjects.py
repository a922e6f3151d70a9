"""Whom a message is about: the order, the symbol, the kind of request or reply it belongs to."""

import re
from collections.abc import Iterable
from typing import Any, get_args

from gateway.simulator import replies, requests
from gateway.simulator.replies import (
    CompletedOrder,
    ExecutionDetails,
    OpenOrder,
    OrderStatus,
)

OrderKey = tuple[int, int]
"""An order as its client names it: the client's id and the order id."""


def order_key(reply: Any) -> OrderKey | None:
    """The order an openOrder, orderStatus or execDetails is about, None for other messages."""
    if isinstance(reply, OpenOrder | OrderStatus | ExecutionDetails):
        return reply.client_id, reply.order_id
    return None


def perm_id(reply: Any) -> int:
    """The permanent id of the order a message is about, 0 if it names none."""
    if isinstance(reply, OpenOrder | OrderStatus | ExecutionDetails | CompletedOrder):
        return reply.perm_id
    return 0


def request_id(message: Any) -> int:
    """The request id a message carries, -1 if it has none."""
    return int(getattr(message, "request_id", -1))


def symbol_of(message: Any) -> str:
    """The symbol a request or reply names, or nothing."""
    contract = getattr(message, "contract", None)
    if contract is not None:
        return str(contract.symbol or contract.local_symbol)
    return str(getattr(message, "symbol", "") or getattr(message, "pattern", ""))


def kind_of(message: Any) -> str:
    """A message's kind in words: `place_order`, `executions`, `execution_details_end`."""
    return KINDS.get(type(message), type(message).__name__)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("PnL", "Pnl")).lower()


def _kinds(types: Iterable[type[Any]]) -> dict[type[Any], str]:
    return {type_: _snake(type_.__name__.removesuffix("Request")) for type_ in types}


NO_REQUESTS = (
    requests.ComboLeg,
    requests.DeltaNeutral,
    requests.StartApi,
    requests.SubscriptionCancel,
)
"""What stands beside the requests and never reaches the stage."""
REQUEST_KINDS: dict[type[Any], str] = _kinds(
    value
    for name, value in sorted(vars(requests).items())
    if isinstance(value, type)
    and value.__module__ == requests.__name__
    and value not in NO_REQUESTS
)
"""Every request with its kind."""
REPLY_KINDS: dict[type[Any], str] = _kinds(get_args(replies.Reply))
"""Every reply with its kind."""
KINDS: dict[type[Any], str] = {**REPLY_KINDS, **REQUEST_KINDS}
END_KINDS = tuple(sorted({kind for kind in REPLY_KINDS.values() if kind.endswith("_end")}))
"""Replies that only say that an answer is complete."""
