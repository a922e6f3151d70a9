"""Order messages to and from their layouts: typed terms here, IB's attribute names there."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gateway.simulator.codec import UNSET_DOUBLE, bool_text, decimal_text, is_unset
from gateway.simulator.contracts import Contract
from gateway.simulator.orders import Margin, OrderState, OrderTerms
from gateway.simulator.orders_wire import (
    COMPLETED_ORDER,
    OPEN_ORDER,
    PLACE_ORDER,
    Values,
    read_segments,
    write_segments,
)
from gateway.simulator.replies import CompletedOrder, OpenOrder
from gateway.simulator.requests import PlaceOrder
from gateway.simulator.wire import FieldReader, MalformedMessage, parse_decimal

_CONTRACT_NAMES = {
    "symbol": "symbol",
    "secType": "security_type",
    "lastTradeDate": "expiry",
    "right": "right",
    "multiplier": "multiplier",
    "exchange": "exchange",
    "primaryExchange": "primary_exchange",
    "currency": "currency",
    "localSymbol": "local_symbol",
    "tradingClass": "trading_class",
}
_TERM_TEXTS = {
    "action": "action",
    "orderType": "order_type",
    "tif": "tif",
    "account": "account",
    "orderRef": "order_ref",
    "algoStrategy": "algo_strategy",
}
_TERM_FLAGS = {"transmit": "transmit", "outsideRth": "outside_rth", "whatIf": "what_if"}
_TERM_PRICES = {"lmtPrice": "limit_price", "auxPrice": "aux_price"}
_NOT_OTHER = frozenset(
    {*_CONTRACT_NAMES, *_TERM_TEXTS, *_TERM_FLAGS, *_TERM_PRICES}
    | {"orderId", "conId", "strike", "totalQuantity", "parentId", "algoParams", "version"}
    | {"comboLegs", "orderComboLegs", "smartRouting", "conditions", "clientId", "permId", "status"}
)
_ZERO = frozenset({"0", "0.0"})
_STATE_MARGINS = {"before": "Before", "change": "Change", "after": "After"}


def read_place_order(reader: FieldReader) -> PlaceOrder:
    """Decode placeOrder. Raises MalformedMessage."""
    values = read_segments(PLACE_ORDER, reader, {"version": reader.version})
    return PlaceOrder(_integer(values, "orderId"), _contract(values), _terms(values))


def write_place_order(message: PlaceOrder, version: int) -> list[str]:
    """Encode placeOrder, as a client does."""
    values = {**_contract_values(message.contract), **_terms_values(message.terms)}
    values |= {"orderId": str(message.order_id), "version": version}
    return ["3", *write_segments(PLACE_ORDER, values, version)]


def read_open_order(reader: FieldReader) -> OpenOrder:
    """Decode openOrder, as a client does. Raises MalformedMessage."""
    values = read_segments(OPEN_ORDER, reader, {"version": reader.version})
    return OpenOrder(
        _integer(values, "orderId"),
        _integer(values, "clientId"),
        _integer(values, "permId"),
        _contract(values),
        _terms(values),
        _state(values),
    )


def write_open_order(message: OpenOrder, version: int) -> list[str]:
    """Encode openOrder."""
    terms = message.terms
    shares = f"{message.perm_id}.0/{terms.account}/{decimal_text(terms.quantity)}"
    values: Values = {
        **_contract_values(message.contract),
        **_terms_values(terms),
        **_state_values(message.state),
        "orderId": str(message.order_id),
        "clientId": str(message.client_id),
        "permId": str(message.perm_id),
        "sharesAllocation": shares,
    }
    return ["5", *write_segments(OPEN_ORDER, values, version)]


def read_completed_order(reader: FieldReader) -> CompletedOrder:
    """Decode completedOrder, as a client does. Raises MalformedMessage."""
    values = read_segments(COMPLETED_ORDER, reader, {"version": reader.version})
    return CompletedOrder(
        _integer(values, "permId"),
        _contract(values),
        _terms(values),
        values["status"],
        parse_decimal(values["filledQuantity"]) or Decimal(0),
        values["completedTime"],
        values["completedStatus"],
    )


def write_completed_order(message: CompletedOrder, version: int) -> list[str]:
    """Encode completedOrder; a filled order's total quantity is 0 there, as at IB."""
    values: Values = {
        **_contract_values(message.contract),
        **_terms_values(message.terms),
        "permId": str(message.perm_id),
        "status": message.status,
        "filledQuantity": decimal_text(message.filled),
        "completedTime": message.completed_time,
        "completedStatus": message.completed_status,
    }
    if message.status == "Filled":
        values["totalQuantity"] = "0"
    return ["101", *write_segments(COMPLETED_ORDER, values, version)]


def _integer(values: Values, name: str) -> int:
    try:
        return int(values.get(name) or 0)
    except ValueError:
        raise MalformedMessage(f"{name} is not an integer") from None


def _decimal(values: Values, name: str) -> Decimal | None:
    return parse_decimal(values[name])


def _contract(values: Values) -> Contract:
    texts = {own: values[name] for name, own in _CONTRACT_NAMES.items() if name in values}
    strike = _decimal(values, "strike") or Decimal(0)
    return Contract(con_id=_integer(values, "conId"), strike=strike, **texts)


def _contract_values(contract: Contract) -> Values:
    texts = {name: getattr(contract, own) for name, own in _CONTRACT_NAMES.items()}
    return {"conId": str(contract.con_id), "strike": decimal_text(contract.strike), **texts}


def _terms(values: Values) -> OrderTerms:
    other = {
        name: text
        for name, text in values.items()
        if name not in _NOT_OTHER and not is_unset(text) and text not in _ZERO
    }
    if values.get("conditions"):
        other["conditionCount"] = str(len(values["conditions"]))
    texts: Values = {own: values[name] for name, own in _TERM_TEXTS.items()}
    flags: Values = {own: values.get(name, "1") == "1" for name, own in _TERM_FLAGS.items()}
    prices: Values = {own: _price(values, name) for name, own in _TERM_PRICES.items()}
    return OrderTerms(
        quantity=_decimal(values, "totalQuantity") or Decimal(0),
        parent_id=_integer(values, "parentId"),
        algo_parameters=values.get("algoParams", ()),
        other=other,
        **(texts | flags | prices),
    )


def _price(values: Values, name: str) -> Decimal | None:
    """A limit or trigger price; 0 is what clients send for none."""
    return _decimal(values, name) or None


def _terms_values(terms: OrderTerms) -> Values:
    values: Values = dict(terms.other)
    values |= {name: getattr(terms, own) for name, own in _TERM_TEXTS.items()}
    values |= {name: bool_text(getattr(terms, own)) for name, own in _TERM_FLAGS.items()}
    for name, own in _TERM_PRICES.items():
        price = getattr(terms, own)
        values[name] = "" if price is None else decimal_text(price)
    return values | {
        "totalQuantity": decimal_text(terms.quantity),
        "parentId": str(terms.parent_id),
        "algoParams": terms.algo_parameters,
    }


def _state(values: Values) -> OrderState:
    margins = {own: _margin(values, suffix) for own, suffix in _STATE_MARGINS.items()}
    return OrderState(
        status=values["status"],
        commission=_decimal(values, "commission"),
        commission_min=_decimal(values, "minCommission"),
        commission_max=_decimal(values, "maxCommission"),
        commission_currency=values["commissionCurrency"],
        warning=values["warningText"],
        **margins,
    )


def _margin(values: Values, suffix: str) -> Margin:
    return Margin(
        _decimal(values, f"initMargin{suffix}"),
        _decimal(values, f"maintMargin{suffix}"),
        _decimal(values, f"equityWithLoan{suffix}"),
    )


def _state_values(state: OrderState) -> Values:
    values: Values = {
        "status": state.status,
        "commission": _or_unset(state.commission),
        "minCommission": _or_unset(state.commission_min),
        "maxCommission": _or_unset(state.commission_max),
        "commissionCurrency": state.commission_currency,
        "warningText": state.warning,
    }
    for own, suffix in _STATE_MARGINS.items():
        values |= _margin_values(getattr(state, own), suffix)
    return values


def _margin_values(margin: Margin, suffix: str) -> Mapping[str, Any]:
    return {
        f"initMargin{suffix}": _or_unset(margin.initial),
        f"maintMargin{suffix}": _or_unset(margin.maintenance),
        f"equityWithLoan{suffix}": _or_unset(margin.equity_with_loan),
    }


def _or_unset(value: Decimal | None) -> str:
    return UNSET_DOUBLE if value is None else decimal_text(value)
