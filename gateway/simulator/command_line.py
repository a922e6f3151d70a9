"""The options of `python -m gateway.simulator`, and what they mean as values. No I/O but files."""

import argparse
import math
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
CLIENT_ID_MAX = 2**31 - 1
SPEED_MAX = 1e6
FULL_SPEED = math.inf
"""`--speed max`."""
_NOT_PARAMETERS = frozenset({"", "name", "self"})
_FAULT_VALUES: dict[str, Any] = {"true": True, "false": False}


_DESCRIPTION = """\
An IB Gateway stand-in: Interactive Brokers' wire protocol over TCP, and behind it a paper account
at a broker made of recorded bars. Clients such as ib_async and ibapi connect to it unmodified."""
_EPILOG = """\
examples:
  the last whole day of the bars, at the speed of the wall:
    python -m gateway.simulator --bars infra/local/bars
  a day in six and a half minutes, with a position and a lost order:
    python -m gateway.simulator --bars infra/local/bars --speed 60 \\
      --holding SPY=50@590.00 --fault 'silent_loss after=booking order=3'
  time that stands still and is moved by `curl -d '{"step": 1}' http://127.0.0.1:4003/clock`:
    python -m gateway.simulator --bars infra/local/bars --speed 0 --control-port 4003
  write down what is said, and play it again:
    python -m gateway.simulator --bars infra/local/bars --trace session.trace
    python -m gateway.simulator.playback session.trace --bars infra/local/bars

It prints one line when it listens and ends on SIGTERM or SIGINT (Ctrl-C). A wrong option ends it
with exit code 2 and a sentence. All of it, faults and differences from IB: docs/simulator.md."""
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
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for title, add_options in _GROUPS.items():
        add_options(made.add_argument_group(title).add_argument)
    return made


_DEFAULT = "(default: %(default)s)"
_RESTART = "virtual; how long a restart takes (default: 60)"
type _Add = Callable[..., argparse.Action]


def _server_group(add: _Add) -> None:
    add("--host", metavar="ADDRESS", default="127.0.0.1", help=f"loopback only {_DEFAULT}")
    add("--port", metavar="N", type=_port, default=4002, help=f"0 takes a free one {_DEFAULT}")
    add(
        "--control-port",
        metavar="N",
        type=_port,
        help="steer it by HTTP and JSON; GET / there tells how (default: none)",
    )
    add(
        "--master-client-id",
        metavar="N",
        type=_client_id,
        help="the client that sees everybody's orders, such as 9 (default: none)",
    )
    add(
        "--pacing",
        choices=get_args(Pacing),
        help="a client's messages beyond 50 per virtual second are refused (reject), wait (pace) "
        "or are as good as others (off) (default: reject at speed 1, else off)",
    )
    add(
        "--trace",
        metavar="FILE",
        nargs="?",
        const="-",
        help="write down what is said, one line a message; without FILE on standard output. "
        "`python -m gateway.simulator.playback FILE` plays it again (default: no trace)",
    )


def _time_group(add: _Add) -> None:
    add(
        "--start",
        metavar="TIME",
        type=_instant,
        help="ISO, with zone: 2026-03-02T09:30:00-05:00 (default: last whole day's opening)",
    )
    add(
        "--speed",
        metavar="FACTOR",
        type=_speed,
        default=1.0,
        help="virtual seconds per second: 60, 0.5; 0 stands still until the control port moves it; "
        "max goes from bar to bar as fast as the clients read, while one is connected "
        "(default: 1)",
    )
    add(
        "--clock-file",
        metavar="FILE",
        type=Path,
        help="publish the virtual time there: 8 bytes, microseconds since 1970 (default: none)",
    )
    add(
        "--restart-at",
        metavar="HH:MM",
        type=_time_of_day,
        help="daily restart of the gateway, New York time: 23:45 (default: none)",
    )
    add("--restart-seconds", metavar="SECONDS", type=_span, default=60.0, help=_RESTART)
    add(
        "--restart-deaf-seconds",
        metavar="SECONDS",
        type=_span,
        default=0.0,
        help="virtual; messages of so long before a restart are lost (default: 0)",
    )
    add(
        "--restart-ids-back",
        metavar="N",
        type=int,
        default=0,
        help=f"how far order ids fall back at a restart: 4 {_DEFAULT}",
    )
    add("--weekly-login", action="store_true", help="down from Sunday 01:00 New York time on")
    add(
        "--login-hours",
        metavar="HOURS",
        type=_span,
        help="virtual; somebody logs in after so many: 8 (default: only by the control port)",
    )


def _market_group(add: _Add) -> None:
    add(
        "--bars",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="files SYMBOL_1min*.csv, SYMBOL_30min*.csv, SYMBOL_1day*.csv with the columns "
        "time,open,high,low,close,volume: infra/local/bars",
    )
    add(
        "--contracts",
        metavar="FILE",
        type=Path,
        help="TOML of contracts beside the known ones; see market/example_contracts.toml",
    )
    add("--seed", metavar="N", type=int, default=0, help=f"of ids, part fills, faults {_DEFAULT}")
    add(
        "--fill-model",
        choices=tuple(FILL_MODELS),
        default="pessimistic",
        help=f"when resting orders trade, at what slippage and volume {_DEFAULT}",
    )
    add(
        "--half-spread",
        metavar="PRICE",
        type=_amount,
        default=Decimal("0.01"),
        help=f"half of bid to ask, in the contract's currency {_DEFAULT}",
    )
    add(
        "--slippage",
        metavar="BP",
        type=_amount,
        help="basis points: 2.5 (default: the fill model's)",
    )
    add(
        "--volume-share",
        metavar="SHARE",
        type=_amount,
        help="of a bar's volume that all orders together get: 0.1 (default: the fill model's)",
    )
    add(
        "--executions-quantity-max",
        metavar="N",
        type=_amount,
        help="shares; larger fills are cut into several executions: 100 (default: one each)",
    )


def _rules_group(add: _Add) -> None:
    for name, effect in RULES.items():
        add("--" + name.replace("_", "-"), action="store_true", help=f"{effect} (default: off)")


def _account_group(add: _Add) -> None:
    add("--account", metavar="ID", default="DUSIM0001", help=f"must begin with DU {_DEFAULT}")
    add("--currency", metavar="CUR", type=_currency, default="USD", help=f"the base {_DEFAULT}")
    add(
        "--cash",
        metavar="AMOUNT",
        type=_cash,
        action="append",
        default=[],
        help="100000 in the base currency, EUR=10000 in another; repeatable (default: 1000000)",
    )
    add(
        "--holding",
        metavar="SYMBOL=N@COST",
        type=_holding,
        action="append",
        default=[],
        help="a position at its average cost: SPY=50@590.00; repeatable (default: none)",
    )
    add(
        "--exchange-rate",
        metavar="CUR=RATE",
        type=_rate,
        action="append",
        default=[],
        help="EUR=1.08 in the base currency, where no bars of a pair tell; repeatable",
    )


def _fault_group(add: _Add) -> None:
    add(
        "--fault",
        metavar="'NAME KEY=VALUE ...'",
        type=_fault,
        action="append",
        default=[],
        help="what goes wrong: 'silent_loss after=booking order=3'; repeatable; the catalogue is "
        "in docs/simulator.md, and at GET /faults of the control port (default: nothing)",
    )


_GROUPS: dict[str, Callable[[_Add], None]] = {
    "server": _server_group,
    "time": _time_group,
    "market": _market_group,
    "rules": _rules_group,
    "account": _account_group,
    "faults": _fault_group,
}

ELSEWHERE = (
    *("--bars", "--contracts", "--host", "--port", "--control-port", "--trace", "--clock-file"),
    *("--start", "--speed", "--pacing"),
)
"""Options of where and when a session runs: what a trace leaves out, or says by itself."""


def session_options(
    arguments: Sequence[str], start: datetime, server: ServerOptions
) -> tuple[str, ...]:
    """The options that a session can be played again with, from those it was started with."""
    aside = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in ELSEWHERE:
        aside.add_argument(option, nargs="?")
    _, rest = aside.parse_known_args(arguments)
    return (*rest, "--start", start.isoformat(), "--pacing", server.pacing)


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
        full_speed=options.speed == FULL_SPEED,
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


def _client_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > CLIENT_ID_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a client id from 0 to {CLIENT_ID_MAX}")
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
    if text == "max":
        return FULL_SPEED
    speed = _seconds(text)
    if not 0 <= speed <= SPEED_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed from 0 to 1000000, nor max")
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
