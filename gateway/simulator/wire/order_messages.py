"""Order messages to and from their layouts: typed terms here, IB's attribute names there."""

from decimal import Decimal
from operator import attrgetter

from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import Margin, OrderState, OrderTerms
from gateway.simulator.replies import CompletedOrder, OpenOrder
from gateway.simulator.requests import PlaceOrder
from gateway.simulator.wire.codec import UNSET_TEXTS, bool_text, decimal_text
from gateway.simulator.wire.fields import (
    FieldReader,
    MalformedMessage,
    parse_decimal,
    parse_integer,
)
from gateway.simulator.wire.order_layouts import (
    COMPLETED_ORDER,
    OPEN_ORDER,
    PLACE_ORDER,
    Values,
)

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
_TERM_PRICES = {
    "lmtPrice": "limit_price",
    "auxPrice": "aux_price",
    "trailStopPrice": "trail_stop_price",
    "trailingPercent": "trailing_percent",
}
_NOT_OTHER = frozenset(
    {*_CONTRACT_NAMES, *_TERM_TEXTS, *_TERM_FLAGS, *_TERM_PRICES}
    | {"orderId", "conId", "strike", "totalQuantity", "parentId", "algoParams", "lmtPriceOffset"}
    | {"comboLegs", "orderComboLegs", "smartRouting", "conditions", "clientId", "permId", "status"}
)
_NOTHING = UNSET_TEXTS | {"0", "0.0"}
"""What a client sends in an attribute that it did not set."""
_CONTRACT_TEXTS = attrgetter(*_CONTRACT_NAMES.values())
_TEXTS = attrgetter(*_TERM_TEXTS.values())
_STATE_NUMBERS = {
    "commission": "commission",
    "minCommission": "commission_min",
    "maxCommission": "commission_max",
}
_STATE_MARGINS = {"before": "Before", "change": "Change", "after": "After"}
_MARGIN_NUMBERS = {
    "initMargin": "initial",
    "maintMargin": "maintenance",
    "equityWithLoan": "equity_with_loan",
}
_NO_MARGIN = Margin()


def read_place_order(reader: FieldReader) -> PlaceOrder:
    """Decode placeOrder. Raises MalformedMessage."""
    values = PLACE_ORDER.read(reader)
    return PlaceOrder(_integer(values, "orderId"), _contract(values), _terms(values))


def write_place_order(message: PlaceOrder, version: int) -> list[str]:
    """Encode placeOrder, as a client does."""
    values = {**_contract_values(message.contract), **_terms_values(message.terms)}
    values["orderId"] = str(message.order_id)
    return ["3", *PLACE_ORDER.write(values, version)]


def read_open_order(reader: FieldReader) -> OpenOrder:
    """Decode openOrder, as a client does. Raises MalformedMessage."""
    values = OPEN_ORDER.read(reader)
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
    values = _terms_values(terms) | _contract_values(message.contract)
    values |= _state_values(message.state)
    values["orderId"] = str(message.order_id)
    values["clientId"] = str(message.client_id)
    values["permId"] = str(message.perm_id)
    values["sharesAllocation"] = shares
    return ["5", *OPEN_ORDER.write(values, version)]


def read_completed_order(reader: FieldReader) -> CompletedOrder:
    """Decode completedOrder, as a client does. Raises MalformedMessage."""
    values = COMPLETED_ORDER.read(reader)
    return CompletedOrder(
        _integer(values, "permId"),
        _contract(values),
        _terms(values),
        values["status"],
        parse_decimal(values["filledQuantity"]) or Decimal(0),
        values["completedTime"],
        values["completedStatus"],
        _integer(values, "parentPermId"),
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
        "parentPermId": str(message.parent_perm_id),
    }
    if message.status == "Filled":
        values["totalQuantity"] = "0"
    return ["101", *COMPLETED_ORDER.write(values, version)]


def _integer(values: Values, name: str) -> int:
    try:
        return parse_integer(values.get(name, ""))
    except MalformedMessage as error:
        raise MalformedMessage(f"{name}: {error}") from None


def _decimal(values: Values, name: str) -> Decimal | None:
    try:
        return parse_decimal(values[name])
    except MalformedMessage as error:
        raise MalformedMessage(f"{name}: {error}") from None


def _contract(values: Values) -> Contract:
    texts = {own: values[name] for name, own in _CONTRACT_NAMES.items() if name in values}
    strike = _decimal(values, "strike") or Decimal(0)
    return Contract(con_id=_integer(values, "conId"), strike=strike, **texts)


def _contract_values(contract: Contract) -> Values:
    values: Values = dict(zip(_CONTRACT_NAMES, _CONTRACT_TEXTS(contract), strict=True))
    values["conId"] = str(contract.con_id)
    if contract.strike:
        values["strike"] = decimal_text(contract.strike)
    return values


def _terms(values: Values) -> OrderTerms:
    other = {
        name: text
        for name, text in values.items()
        if text and text not in _NOTHING and name not in _NOT_OTHER
    }
    if values.get("conditions"):
        other["conditionCount"] = str(len(values["conditions"]))
    texts: Values = {own: values[name] for name, own in _TERM_TEXTS.items()}
    flags: Values = {own: values.get(name, "1") == "1" for name, own in _TERM_FLAGS.items()}
    prices: Values = {own: _price(values, name) for name, own in _TERM_PRICES.items()}
    return OrderTerms(
        quantity=_decimal(values, "totalQuantity") or Decimal(0),
        parent_id=_integer(values, "parentId"),
        limit_offset=_decimal(values, "lmtPriceOffset"),
        algo_parameters=values.get("algoParams", ()),
        other=other,
        **texts,
        **flags,
        **prices,
    )


def _price(values: Values, name: str) -> Decimal | None:
    """A limit or trigger price; 0 is what clients send for none."""
    return _decimal(values, name) or None


def _terms_values(terms: OrderTerms) -> Values:
    values: Values = dict(terms.other)
    values.update(zip(_TERM_TEXTS, _TEXTS(terms), strict=True))
    for name, own in _TERM_FLAGS.items():
        values[name] = bool_text(getattr(terms, own))
    for name, own in _TERM_PRICES.items():
        price = getattr(terms, own)
        values[name] = "" if price is None else decimal_text(price)
    values["totalQuantity"] = decimal_text(terms.quantity)
    values["parentId"] = str(terms.parent_id)
    _add_number(values, "lmtPriceOffset", terms.limit_offset)
    values["algoParams"] = terms.algo_parameters
    return values


def _state(values: Values) -> OrderState:
    margins: Values = {own: _margin(values, suffix) for own, suffix in _STATE_MARGINS.items()}
    numbers: Values = {own: _decimal(values, name) for name, own in _STATE_NUMBERS.items()}
    return OrderState(
        status=values["status"],
        commission_currency=values["commissionCurrency"],
        warning=values["warningText"],
        **margins,
        **numbers,
    )


def _margin(values: Values, suffix: str) -> Margin:
    return Margin(*(_decimal(values, name + suffix) for name in _MARGIN_NUMBERS))


def _state_values(state: OrderState) -> Values:
    """What the state says; numbers it has not are left to the table, which says unset."""
    values: Values = {
        "status": state.status,
        "commissionCurrency": state.commission_currency,
        "warningText": state.warning,
    }
    for name, own in _STATE_NUMBERS.items():
        _add_number(values, name, getattr(state, own))
    for part, suffix in _STATE_MARGINS.items():
        margin = getattr(state, part)
        if margin is not _NO_MARGIN and margin != _NO_MARGIN:
            for name, own in _MARGIN_NUMBERS.items():
                _add_number(values, name + suffix, getattr(margin, own))
    return values


def _add_number(values: Values, name: str, number: Decimal | None) -> None:
    if number is not None:
        values[name] = decimal_text(number)
