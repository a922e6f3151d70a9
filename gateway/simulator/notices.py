"""What IB says with its error codes, word for word, where more than one part here says it.

The broker says it when it is true, the faults when it is not: a client must not be able to tell
them apart. Texts: IB's page of message codes, and what was seen in the field (design/ib.md 4).
"""

from typing import NamedTuple


class Refusal(NamedTuple):
    """An error code of IB's with its text: why something is not done, or a warning."""

    code: int
    text: str


NO_DEFINITION = Refusal(200, "No security definition has been found for the request")
NOT_SUBSCRIBED = Refusal(354, "Requested market data is not subscribed.")
COMPETING_SESSION = Refusal(10197, "No market data during competing live session")
DUPLICATE_TICKER = Refusal(322, "Error processing request.-'sim' : cause - Duplicate ticker id")
CLIENT_ID_IN_USE = Refusal(
    326, "Unable to connect as the client id is already in use. Retry with a unique client id."
)
DUPLICATE_ORDER = Refusal(103, "Duplicate order id")
OFF_TICK = Refusal(
    110, "The price does not conform to the minimum price variation for this contract."
)
UNSUPPORTED_TYPE = Refusal(387, "Unsupported order type for this exchange and security type.")
FRACTIONAL = Refusal(10243, "Fractional-sized order cannot be placed via API.")
PRESET = Refusal(10349, "Order TIF was set to DAY based on order preset.")
LOCATING = Refusal(
    404,
    "Shares for this order are not immediately available for short sale. The order will be held "
    "while we attempt to locate the shares.",
)
CANCELLED = Refusal(202, "Order Canceled - reason:")
DISCARDED = Refusal(202, "Order Canceled - reason:Order was discarded")
"""An order that was never transmitted is cancelled (rust-ibapi, wire facts of a paper gateway)."""
MISSING_PARENT = Refusal(10006, "Missing parent order.")
OTHER_GROUP = Refusal(10326, "OCA group revision is not allowed.")
OTHER_GROUP_TYPE = Refusal(10327, "OCA group type revision is not allowed.")
OTHER_PARENT = Refusal(10341, "Parent order id cannot be modified.")
FARM_OK = Refusal(2104, "Market data farm connection is OK:usfarm")
HISTORY_FARM_OK = Refusal(2106, "HMDS data farm connection is OK:ushmds")
DEFINITIONS_FARM_OK = Refusal(2158, "Sec-def data farm connection is OK:secdefnj")


def invalid(reason: str) -> Refusal:
    """Error 321: the request makes no sense."""
    return Refusal(321, f"Error validating request.-'sim' : cause - {reason}")


def rejected(reason: str) -> Refusal:
    """Error 201: the order is not accepted."""
    return Refusal(201, f"Order rejected - reason:{reason}")


GROUP_FILLED = rejected("OCA group is already filled.")
PARENT_ENDS = rejected("Parent order is being cancelled.")
NO_SHARES = rejected("The contract is not available for short sale.")


def not_found(order_id: int) -> Refusal:
    """Error 135: the id was used, but there is no such order any more."""
    return Refusal(135, f"Can't find order with id ={order_id}")


def not_cancellable(perm_id: int) -> Refusal:
    """Error 161: the order cannot be cancelled as it is."""
    text = f"Cancel attempted when order is not in a cancellable state. Order permId ={perm_id}"
    return Refusal(161, text)


def unknown_ticker(request_id: int) -> Refusal:
    """Error 300: no market data goes by this id."""
    return Refusal(300, f"Can't find EId with tickerId:{request_id}")


def unknown_cancel(order_id: int) -> Refusal:
    """Error 10147: nothing to cancel."""
    return Refusal(10147, f"{_cancel_of(order_id)} is not found.")


def late_cancel(order_id: int, status: str) -> Refusal:
    """Error 10148: the order is over."""
    return Refusal(10148, f"{_cancel_of(order_id)} cannot be cancelled, state: {status}.")


def _cancel_of(order_id: int) -> str:
    return f"OrderId {order_id} that needs to be cancelled"
