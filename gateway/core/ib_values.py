"""ib_async's objects and ours, field by field.

The objects come as `Any`: they are the client library's plain records, and only `gateway.line`
may import it. Numbers go through `gateway.core.ib_words`, so unset ones never get further.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any, Final

from gateway.core.broker import Commission, MarginPreview, OrderReport
from gateway.core.ib_bars import IbBar
from gateway.core.ib_words import (
    amount,
    completed_status,
    identity,
    margin_preview,
    number,
    order_status,
    signed,
)
from schemas.documents import BrokerPosition, ExecutionDocument, OrderDocument
from schemas.values import Contract, OrderType

SMART: Final = "SMART"
ROUTED: Final = frozenset({"STK", "OPT", "WAR"})
"""Kinds of contract that IB routes; positions and executions name the venue instead."""

LIMITED: Final = frozenset({OrderType.LMT, OrderType.LOC, OrderType.MIDPRICE})
"""Types that always carry a limit; for MIDPRICE IB would do without."""

CHAIN_LENGTH: Final = 2
"""Months of a future that a strategy is told of: the one that it holds, and the one to roll to."""

type Ours = Callable[[Any], Contract]
"""From ib_async's contract to ours."""


def described(contract: Contract) -> str:
    """A contract for a sentence: `SPY STK SMART USD`."""
    name = contract.symbol or contract.local_symbol or f"conId {contract.con_id}"
    return f"{name} {contract.sec_type} {contract.exchange} {contract.currency}"


def contract_fields(contract: Contract) -> dict[str, Any]:
    """Our contract as keyword arguments of ib_async's."""
    return {
        "conId": contract.con_id,
        "symbol": contract.symbol,
        "secType": contract.sec_type,
        "exchange": contract.exchange,
        "primaryExchange": contract.primary_exchange,
        "currency": contract.currency,
        "localSymbol": contract.local_symbol,
        "lastTradeDateOrContractMonth": contract.last_trade_date,
    }


def contract(told: Any) -> Contract:
    """A contract as positions and executions name it."""
    return Contract(
        symbol=told.symbol,
        sec_type=told.secType,
        exchange=SMART if told.secType in ROUTED else told.exchange or told.primaryExchange,
        currency=told.currency,
        con_id=told.conId,
        primary_exchange=told.primaryExchange,
        local_symbol=told.localSymbol,
        last_trade_date=told.lastTradeDateOrContractMonth,
        multiplier=number(told.multiplier) or Decimal(1),
    )


def only_match(asked: Contract, found: Sequence[Any]) -> Contract:
    """The one contract of IB's answer. Raises `ValueError` for none or several, saying how many."""
    return resolved_contract(asked, only_details(asked, found))


def only_details(asked: Contract, found: Sequence[Any]) -> Any:
    """The one contract's details in IB's answer. Raises `ValueError` as `only_match` does."""
    # IB answers some requests with kinds of contract that were not asked for.
    matches = [details for details in found if details.contract.secType == asked.sec_type]
    if len(matches) != 1:
        raise ValueError(
            f"means {len(matches)} contracts at the broker, not exactly one; correct it, or name "
            f"one by con_id"
        )
    return matches[0]


def chain(asked: Contract, found: Sequence[Any], today: str) -> tuple[Contract, ...]:
    """The months of a future that expire next, from `today` (`YYYYMMDD`) on, the nearest first.

    Raises `ValueError` where fewer than `CHAIN_LENGTH` are told, or where several kinds of future
    share the symbol (VIX: monthly and weekly), for then nobody knows which is meant.
    """
    matches = [details for details in found if details.contract.secType == asked.sec_type]
    kinds = sorted({details.contract.tradingClass for details in matches})
    if len(kinds) > 1:
        raise ValueError(f"is {', '.join(kinds)} at the broker; name months by local_symbol")
    months = [resolved_contract(asked, details) for details in matches]
    left = sorted((m for m in months if m.last_trade_date >= today), key=_expiry)
    if len(left) < CHAIN_LENGTH:
        raise ValueError(
            f"has {len(left)} months at the broker, a chain needs {CHAIN_LENGTH}; name months by "
            f"local_symbol"
        )
    return tuple(left[:CHAIN_LENGTH])


def _expiry(month: Contract) -> tuple[str, int]:
    return month.last_trade_date, month.con_id


def resolved_contract(asked: Contract, details: Any) -> Contract:
    """What contract details say, on the exchange that was asked for.

    Raises `ValueError` for a contract quoted in parts of its currency: its money value is unclear.
    """
    magnifier = details.priceMagnifier or 1
    if magnifier != 1:
        raise ValueError(
            f"is quoted in 1/{magnifier} of its currency, which is not supported; choose a listing "
            f"that is quoted in whole units"
        )
    told = details.contract
    return Contract(
        symbol=told.symbol,
        sec_type=told.secType,
        exchange=asked.exchange or told.exchange,
        currency=told.currency,
        con_id=told.conId,
        primary_exchange=told.primaryExchange,
        local_symbol=told.localSymbol,
        last_trade_date=told.lastTradeDateOrContractMonth,
        multiplier=number(told.multiplier) or Decimal(1),
    )


def order_fields(order: OrderDocument, account: str) -> dict[str, Any]:
    """Our order as keyword arguments of ib_async's, `algoParams` as (tag, value) pairs.

    Raises `ValueError` for one that IB would take otherwise than it is meant: no tif (IB's preset
    would choose one, trap 1), a limit type without its limit or a limit where IB reads none, a time
    without a zone, nothing to trade.
    """
    if not order.tif:
        raise ValueError(f"{order.order_ref}: an order must have a tif")
    if not order.quantity:
        raise ValueError(f"{order.order_ref}: an order must have a quantity")
    if not order.order_ref:
        raise ValueError("an order must have an order_ref, else its fills are nobody's")
    return {
        "action": "BUY" if order.quantity > 0 else "SELL",
        "totalQuantity": _plain(abs(order.quantity)),
        "orderType": str(order.order_type),
        "tif": order.tif,
        "orderRef": order.order_ref,
        "account": account,
        "outsideRth": order.outside_rth,
        "goodAfterTime": _order_time(order),
        "transmit": True,
        **_limit_fields(order),
        **_algo_fields(order),
    }


def _limit_fields(order: OrderDocument) -> dict[str, Any]:
    """The limit, which for MIDPRICE is the cap on the middle that it pegs to."""
    kind, limit = order.order_type, order.limit_price
    if kind not in LIMITED:
        if limit is not None:
            raise ValueError(f"{order.order_ref}: {kind} would trade without its limit_price")
        return {}
    if limit is None:
        raise ValueError(f"{order.order_ref}: an order of type {kind} must have a limit_price")
    return {"lmtPrice": _plain(limit)}


def _order_time(order: OrderDocument) -> str:
    """`good_after` as IB reads it in one way only, `yyyymmdd-hh:mm:ss` in UTC; never earlier."""
    at = order.good_after
    if at is None:
        return ""
    if at.tzinfo is None:
        raise ValueError(f"{order.order_ref}: good_after must have a time zone")
    whole = at.replace(microsecond=0) + timedelta(seconds=bool(at.microsecond))
    return f"{whole.astimezone(UTC):%Y%m%d-%H:%M:%S}"


def _algo_fields(order: OrderDocument) -> dict[str, Any]:
    if order.order_type is not OrderType.MKT or not order.adaptive_priority:
        return {}
    priority = order.adaptive_priority
    return {"algoStrategy": "Adaptive", "algoParams": [("adaptivePriority", priority)]}


def _plain(exact: Decimal) -> Decimal:
    """The same number as digits: the client writes decimals by `str`, and IB reads no `1E+2`."""
    return Decimal(f"{exact:f}")


def execution(ours: Ours, told_contract: Any, told: Any) -> ExecutionDocument:
    """One execution, bought positive, its time in UTC; foreign ones have no orderRef of ours."""
    return ExecutionDocument(
        exec_id=told.execId,
        order_ref=told.orderRef,
        contract=ours(told_contract),
        quantity=signed(told.side, told.shares),
        price=amount(told.price),
        at=told.time.astimezone(UTC),
        account=told.acctNumber,
        perm_id=identity(told.permId),
        order_id=identity(told.orderId),
        client_id=identity(told.clientId),
        exchange=told.exchange,
    )


def commission(told: Any) -> Commission | None:
    """What an execution cost; None while IB does not know it."""
    paid = number(told.commission)
    return None if paid is None else Commission(told.execId, paid, told.currency)


def open_order(told_contract: Any, told: Any, state: Any) -> OrderReport:
    """An openOrder message: it names the order, and counts no fills."""
    return OrderReport(
        order_ref=told.orderRef,
        status=order_status(state.status),
        con_id=told_contract.conId,
        perm_id=identity(told.permId),
        order_id=identity(told.orderId),
        client_id=identity(told.clientId),
    )


def status(order_id: int, word: str, filled: float, rest: Sequence[Any]) -> OrderReport:
    """An orderStatus message, which counts the fills and does not say which order_ref it is of.

    `rest` are its further fields, as IB lists them.
    """
    _remaining, _average_price, perm_id, _parent_id, _last_price, client_id, *_ = rest
    return OrderReport(
        order_ref="",
        status=order_status(word),
        perm_id=perm_id,
        order_id=order_id,
        client_id=client_id,
        filled=number(filled),
    )


def completed_order(told_contract: Any, told: Any, state: Any) -> OrderReport:
    """A completedOrder message: neither order id nor client id, and a total quantity of 0."""
    return OrderReport(
        order_ref=told.orderRef,
        status=completed_status(state.status),
        con_id=told_contract.conId,
        perm_id=identity(told.permId),
        filled=number(told.filledQuantity),
        reason=state.completedStatus,
    )


def position(ours: Ours, told: Any) -> BrokerPosition:
    """What is held of one contract, signed."""
    return BrokerPosition(
        contract=ours(told.contract),
        quantity=amount(told.position),
        average_cost=amount(told.avgCost),
    )


def bar(told: Any) -> IbBar:
    """One bar; its prices stay floats, for they feed indicators."""
    return IbBar(told.date, told.open, told.high, told.low, told.close, float(told.volume))


def margins(state: Any, warning: str) -> MarginPreview:
    """The answer to a what-if, from ib_async's OrderState."""
    told = {
        "initial_margin_before": state.initMarginBefore,
        "initial_margin_change": state.initMarginChange,
        "initial_margin_after": state.initMarginAfter,
        "maintenance_margin_before": state.maintMarginBefore,
        "maintenance_margin_change": state.maintMarginChange,
        "maintenance_margin_after": state.maintMarginAfter,
        "equity_with_loan_before": state.equityWithLoanBefore,
        "equity_with_loan_change": state.equityWithLoanChange,
        "equity_with_loan_after": state.equityWithLoanAfter,
        "commission": state.commission,
        "commission_min": state.minCommission,
        "commission_max": state.maxCommission,
    }
    return margin_preview(told, state.warningText or warning)
