"""What comes into the control port and what goes out of it, as plain values for JSON."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.simulator.orders.orders import Execution, Order

DIGITS_MAX = 10
"""Numbers have at most so many digits before the point and after it."""
_UNSPEAKABLE = frozenset(map(chr, (0, *range(0xD800, 0xE000))))
"""A zero byte ends a field; half of a surrogate pair has no bytes at all."""


class ControlError(Exception):
    """A request that cannot be done: the HTTP status, and one sentence that says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Fields:
    """The fields of one request. Every reader raises ControlError for what does not fit."""

    def __init__(self, values: Mapping[str, Any], *allowed: str) -> None:
        for name in values:
            if name not in allowed:
                known = f"; there are {', '.join(allowed)}" if allowed else ", there is none"
                raise ControlError(400, f"unknown field {name!r}{known}")
        self._values = values

    def has(self, name: str) -> bool:
        """Whether the field was given."""
        return self._values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text field."""
        value = self._given(name, default)
        if not isinstance(value, str):
            raise ControlError(400, f"{name} must be text, not {value!r}")
        return value

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        """A number, finite."""
        value = self._given(name, default)
        try:
            if isinstance(value, bool):
                raise InvalidOperation
            number = Decimal(str(value))
        except InvalidOperation:
            raise ControlError(400, f"{name} must be a number, not {value!r}") from None
        if not number.is_finite() or not -DIGITS_MAX <= number.adjusted() < DIGITS_MAX:
            raise ControlError(400, f"{name} must be a number of usual size, not {value!r}")
        return number

    def whole(self, name: str, default: int, most: int) -> int:
        """A whole number from 0 to `most`."""
        number = self.number(name, Decimal(default))
        if number != number.to_integral_value() or not 0 <= number <= most:
            raise ControlError(400, f"{name} must be a whole number from 0 to {most}, not {number}")
        return int(number)

    def optional(self, name: str) -> Decimal | None:
        """A number or nothing."""
        return self.number(name) if self.has(name) else None

    def _given(self, name: str, default: Any) -> Any:
        value = self._values.get(name)
        if value is None:
            value = default
        if value is None:
            raise ControlError(400, f"{name} is missing")
        return value


def check_texts(values: Mapping[str, Any]) -> None:
    """Refuse text that no field of IB's wire can carry; clients would be told of it.

    Raises ControlError.
    """
    for name, value in values.items():
        for text in (name, value):
            if isinstance(text, str) and not _UNSPEAKABLE.isdisjoint(text):
                raise ControlError(400, f"the text {text[:100]!r} cannot be sent to a client")


def one_of(fields: Fields, name: str, *allowed: str) -> str:
    """A text field that is one of these."""
    value = fields.text(name)
    if value not in allowed:
        raise ControlError(400, f"{name} must be {' or '.join(allowed)}, not {value!r}")
    return value


def instant(text: str) -> datetime:
    """An ISO time with a zone. Raises ControlError."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ControlError(400, f"{text!r} is not an ISO time") from None
    if when.tzinfo is None:
        raise ControlError(400, f"{text!r} has no zone, write e.g. {text}-05:00")
    return when


def order_row(order: Order) -> dict[str, Any]:
    """An order."""
    terms = order.terms
    return {
        "perm_id": order.perm_id,
        "client_id": order.client_id,
        "order_id": order.order_id,
        "order_ref": terms.order_ref,
        "symbol": order.contract.local_symbol,
        "con_id": order.contract.con_id,
        "action": terms.action,
        "quantity": plain(terms.quantity),
        "order_type": terms.order_type,
        "limit_price": plain(terms.limit_price),
        "aux_price": plain(terms.aux_price),
        "tif": terms.tif,
        "status": order.status,
        "why_held": order.why_held,
        "filled": plain(order.filled),
        "price_average": plain(order.price_average),
        "working": order.working,
        "by_hand": order.by_hand,
        "placed_at": time_text(order.placed_at),
    }


def execution_row(order: Order, execution: Execution, commissions: Mapping[str, Any]) -> Any:
    """An execution with its commission, by the reports of all of them."""
    report = commissions.get(execution.execution_id)
    return {
        "execution_id": execution.execution_id,
        "time": time_text(execution.time),
        "perm_id": order.perm_id,
        "order_ref": order.terms.order_ref,
        "symbol": order.contract.local_symbol,
        "side": execution.side,
        "quantity": plain(execution.quantity),
        "price": plain(execution.price),
        "commission": plain(None if report is None else report.commission),
    }


def time_text(when: datetime | None) -> str | None:
    """A time in ISO form."""
    return None if when is None else when.isoformat()


def plain(value: Any) -> Any:
    """Decimals as text without an exponent; what JSON knows stays."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if isinstance(value, str | int | float | bool | None) else str(value)
