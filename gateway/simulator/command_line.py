"""The options of `python -m gateway.simulator`, and what they mean as values. No I/O but files."""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args

from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contract_file import read_contracts
from gateway.simulator.market.contracts import ContractTable
from gateway.simulator.orders.fill_models import FILL_MODELS, FillModel, fill_model
from gateway.simulator.outages import OutagePlan
from gateway.simulator.server_options import Pacing, ServerOptions

_HOLDING = re.compile(r"([A-Z][A-Z0-9.]*)=(-?\d{1,9})@(\d{1,9}(?:\.\d{1,15})?)")
_CURRENCY = re.compile(r"([A-Z]{3})=(.+)")
_DIGITS_MAX = 12
_NOT_PARAMETERS = frozenset({"", "name", "self"})
_FAULT_VALUES: dict[str, Any] = {"true": True, "false": False}


RULES = {
    "historical_pacing": "refuse bars that are asked for too often, 162",
    "short_sales_held": "404 and a hold instead of 201 for a short sale",
    "cancels_wait_for_open": "cancels while the market is closed are answered at its open",
    "day_preset_notice": "10349 for an order without a time in force",
    "liquidates": "close positions by force when the account is short of margin",
}
"""Options of the exchange that are on or off."""


@dataclass(frozen=True, slots=True)
class FaultOption:
    """A fault to inject at the start."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount; `currency` is empty where it is the account's base currency."""

    currency: str
    amount: Decimal


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="python -m gateway.simulator",
        description="An IB Gateway stand-in: IB's wire over TCP, a broker made of recorded bars.",
    )
    for title, add_options in _GROUPS.items():
        add_options(made.add_argument_group(title).add_argument)
    return made


type _Add = Callable[..., argparse.Action]


def _server_group(add: _Add) -> None:
    add("--host", default="127.0.0.1", help="loopback address to listen on")
    add("--port", type=_port, default=4002, help="0 takes a free port (default 4002)")
    add("--control-port", type=_port, help="HTTP and JSON: GET / there tells what it can do")
    add("--master-client-id", type=int, help="the client that sees everybody's orders")
    add(
        "--pacing",
        choices=get_args(Pacing),
        help="50 messages per second (default: reject at speed 1, else off)",
    )


def _time_group(add: _Add) -> None:
    add("--start", type=_instant, help="ISO time with zone (default: last whole day's opening)")
    add("--speed", type=_speed, default=1.0, help="virtual seconds per second, 0 stands still")
    add("--clock-file", type=Path, help="publish the virtual time in this 8-byte file")
    add("--restart-at", type=_time_of_day, help="daily restart, New York time, such as 23:45")
    add("--restart-seconds", type=_span, default=60.0, help="how long a restart takes (60)")
    add("--restart-deaf-seconds", type=_span, default=0.0, help="messages lost before a restart")
    add("--restart-ids-back", type=int, default=0, help="how far order ids fall back at a restart")
    add("--weekly-login", action="store_true", help="down from Sunday 01:00 New York time on")
    add("--login-hours", type=_span, help="somebody logs in after so many hours (default: never)")


def _market_group(add: _Add) -> None:
    add("--bars", type=Path, required=True, help="folder of SYMBOL_30min*.csv, _1min, _1day")
    add("--contracts", type=Path, help="TOML file of contracts beside the known ones")
    add("--seed", type=int, default=0, help="what ids, part fills and faults are drawn from")
    add("--fill-model", choices=tuple(FILL_MODELS), default="pessimistic", help="how orders trade")
    add("--half-spread", type=_amount, default=Decimal("0.01"), help="half of bid to ask (0.01)")
    add("--slippage", type=_amount, help="basis points, instead of the fill model's")
    add("--volume-share", type=_amount, help="of a bar's volume, instead of the fill model's")
    add("--executions-quantity-max", type=_amount, help="cut fills into executions of this size")


def _rules_group(add: _Add) -> None:
    for name, effect in RULES.items():
        add("--" + name.replace("_", "-"), action="store_true", help=effect)


def _account_group(add: _Add) -> None:
    add("--account", default="DUSIM0001", help="account id, must begin with DU")
    add("--currency", type=_currency, default="USD", help="the account's base currency (USD)")
    add("--cash", type=_cash, action="append", default=[], help="1000000, EUR=10000; repeatable")
    add("--holding", type=_holding, action="append", default=[], help="SPY=50@590.00, repeatable")
    add(
        "--exchange-rate",
        type=_rate,
        action="append",
        default=[],
        help="EUR=1.08 in the base currency, repeatable; bars of a pair go before it",
    )


def _fault_group(add: _Add) -> None:
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        help="'silent_loss after=booking order=3', repeatable",
    )


_GROUPS: dict[str, Callable[[_Add], None]] = {
    "server": _server_group,
    "time": _time_group,
    "market": _market_group,
    "rules": _rules_group,
    "account": _account_group,
    "faults": _fault_group,
}


# ---------------------------------------------------------------------- values of options


def exchange_of(options: argparse.Namespace, book: BarBook) -> Exchange:
    """The exchange that was asked for. Raises ValueError, ContractFileError."""
    table = ContractTable()
    if options.contracts is not None:
        table = table.with_listings(read_contracts(options.contracts))
    return Exchange(book, exchange_options(options), table)


def exchange_options(options: argparse.Namespace) -> ExchangeOptions:
    """What the broker is. Raises ValueError."""
    held = {holding.symbol for holding in options.holding}
    if len(held) < len(options.holding):
        raise ValueError("--holding came twice for one symbol")
    base = [money.amount for money in options.cash if not money.currency]
    if len(base) > 1:
        raise ValueError("--cash in the base currency came twice")
    return ExchangeOptions(
        account_id=options.account,
        currency=options.currency,
        cash=base[0] if base else Decimal(1_000_000),
        cash_by_currency=_by_currency("--cash", [item for item in options.cash if item.currency]),
        exchange_rates=_by_currency("--exchange-rate", options.exchange_rate),
        holdings=tuple(options.holding),
        seed=options.seed,
        half_spread=options.half_spread,
        executions_quantity_max=options.executions_quantity_max,
        fill_model=_fill_model(options),
        **{name: getattr(options, name) for name in RULES},
    )


def server_options(options: argparse.Namespace) -> ServerOptions:
    """How it listens. Raises ValueError."""
    pacing: Pacing = options.pacing or ("reject" if options.speed == 1 else "off")
    plan = OutagePlan(
        restart_at=options.restart_at,
        restart_seconds=options.restart_seconds,
        restart_deaf_seconds=options.restart_deaf_seconds,
        restart_ids_back=options.restart_ids_back,
        weekly_login=options.weekly_login,
        login_hours=options.login_hours,
    )
    return ServerOptions(
        host=options.host,
        port=options.port,
        master_client_id=options.master_client_id,
        pacing=pacing,
        outages=plan,
    )


def _fill_model(options: argparse.Namespace) -> FillModel:
    model = fill_model(options.fill_model)
    if options.slippage is not None:
        model = replace(model, name="chosen", slippage_bp=options.slippage)
    if options.volume_share is not None:
        model = replace(model, name="chosen", volume_share=options.volume_share)
    return model


def _by_currency(option: str, given: Sequence[Money]) -> dict[str, Decimal]:
    amounts = {money.currency: money.amount for money in given}
    if len(amounts) < len(given):
        raise ValueError(f"{option} came twice for one currency")
    return amounts


# ---------------------------------------------------------------------- texts of options


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _instant(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO time") from None
    if when.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no zone, write e.g. {text}-05:00")
    return when


def _time_of_day(text: str) -> time:
    try:
        when = time.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time of day like 23:45") from None
    if when.tzinfo is not None:
        raise argparse.ArgumentTypeError(f"{text!r} has a zone; it is New York's")
    return when


def _speed(text: str) -> float:
    speed = _seconds(text)
    if not 0 <= speed <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed from 0 to 1000000")
    return speed


def _span(text: str) -> float:
    span = _seconds(text)
    if not 0 <= span <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span from 0 to 1000000")
    return span


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _holding(text: str) -> InitialHolding:
    match = _HOLDING.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not like SPY=50@590.00")
    return InitialHolding(match[1], Decimal(match[2]), Decimal(match[3]))


def _currency(text: str) -> str:
    if re.fullmatch(r"[A-Z]{3}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a currency like USD")
    return text


def _cash(text: str) -> Money:
    match = _CURRENCY.fullmatch(text)
    return Money("", _amount(text)) if match is None else Money(match[1], _amount(match[2]))


def _rate(text: str) -> Money:
    match = _CURRENCY.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not like EUR=1.08")
    return Money(match[1], _amount(match[2]))


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0 or abs(amount.adjusted()) > _DIGITS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount above 0 and of usual size")
    return amount


def _fault(text: str) -> FaultOption:
    name, *pairs = text.split() or [""]
    split = [pair.partition("=") for pair in pairs]
    named = {key for key, equals, _ in split if equals} - _NOT_PARAMETERS
    if not name or len(named) < len(split):
        raise argparse.ArgumentTypeError(f"{text!r} is not like: silent_loss after=booking order=3")
    return FaultOption(name, {key: _FAULT_VALUES.get(value, value) for key, _, value in split})
