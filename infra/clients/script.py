"""The one script that every client plays against the simulator: named cases, the same for all.

A client is played by its driver, a program of the client's own environment: `python drive_X.py
PORT`. It reads one JSON object a line, `{"verb": …, "arguments": {…}}`, and answers each with one
line, `{"answer": …}` or `{"error": "one sentence"}`; between two lines it may be a while, for the
host moves the simulator's clock in between. What a library prints goes to the error stream. A verb
that waits does so for `WAIT_SECONDS_MAX` at most, then it answers an error that tells what was
heard instead. The end of the input ends the program.

Every case has a simulator of its own, always at the same port and in the same state (`market.py`):
it begins with `connect`, and `disconnect` follows even where a case failed. Orders are called by
their orderRef, `ref`; the driver knows which order id that is. Prices, quantities, amounts are
JSON numbers.

| verb | arguments | answer |
|---|---|---|
| `connect` | `client_id` | `accounts`, `next_order_id` |
| `disconnect` | | `connected`: false; waits until the socket is closed |
| `contract_details` | `symbol` | a list of `con_id`, `symbol`, `security_type`, `currency`, \
`min_tick`, `time_zone`, `long_name` |
| `bars` | `symbol`, `duration`, `size`: TRADES, regular hours, until now | a list of [start as \
epoch seconds, open, high, low, close, volume] |
| `account` | `tags` | the tags and their values, as numbers, in the base currency |
| `positions` | | a list of [symbol, quantity, average cost] |
| `place` | an order, below | `{}`, at once |
| `modify` | `ref` and what changes of the order | `{}`, at once |
| `cancel` | `ref` | `{}`, at once |
| `order` | `ref`, `until` a status, `filled` (0) | what was heard of the order, below |
| `what_if` | an order | `initial_margin_before`, `initial_margin_change`, \
`maintenance_margin_change`, `equity_with_loan_after`, `commission`, `currency` |
| `open_orders` | | a list, by `ref`, of `ref`, `status`, `quantity`: those of this client |
| `completed_orders` | | a list, by `ref`, of `ref`, `status`, `filled`: all of today |
| `executions` | | a list, in order, of `ref`, `symbol`, `side` (BOT, SLD), `quantity`, \
`price`, `id` |
| `snapshot` | `symbol` | `bid`, `ask`, `last` |
| `subscribe_quotes`, `unsubscribe_quotes` | `symbol` | `{}`, at once |
| `quotes` | `symbol`, `last` | the newest `bid`, `ask`, `last`, as soon as the last price is that |
| `subscribe_bars` | `symbol`, `duration`, `size`: kept up to date | as `bars` |
| `bar_updates` | `start` | all bars of the subscription as of now, as `bars`, as soon as one with \
that start is heard |
| `unsubscribe_bars` | | `{}`, at once |
| `subscribe_real_time_bars`, `unsubscribe_real_time_bars` | `symbol`: TRADES | `{}`, at once |
| `real_time_bars` | `count` | all bars heard since, as `bars`, as soon as they are so many |
| `life_cycles` | `symbol`, `count`: market orders of one share, each awaited until its commission \
is heard | `seconds` by the wall, `cpu_seconds` of the driver's own process |
| `usage` | | `cpu_seconds` of the process so far |

An order is `ref`, `symbol`, `action`, `quantity`, `type` (IB's: MKT, LMT, STP, TRAIL), and where it
has them `limit`, `stop`, `trail` (the amount), `parent` (its ref), `transmit` (true), `oca_group`,
`oca_type`. All are DAY, routed SMART.

What was heard of an order since the connection was made, as soon as its status is `until`, so many
are `filled`, and each execution has its commission: `statuses`, those that the gateway told, in
order, repetitions left out, without what the client made up by itself (PendingSubmit,
PendingCancel, ApiPending, ValidationError); `filled`, `remaining`, `average_price`; `executions`,
in order, each with `side`, `quantity`, `price`, `commission`, `currency`; `errors`, the codes told
for it; `type`, `quantity`, `limit`, `parent` (its ref, "" for none) and `oca_group` as the
gateway's openOrder has them.

Verbs of the host's, which no client sees: `advance` moves the clock by `seconds`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

WAIT_SECONDS_MAX: Final = 10
"""How long a driver waits, at most, for something to be heard."""

ACCOUNT: Final = "DUSIM0001"
SYMBOL: Final = "SPY"
OPEN_EPOCH: Final = 1765549800
"""9:30 in New York on 2025-12-12, a Friday."""
NOW_EPOCH: Final = OPEN_EPOCH + 1800
"""When every case begins."""

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Expects a number that is not lower."""

    low: float


@dataclass(frozen=True, slots=True)
class Same:
    """Expects a text, not an empty one, and the same wherever this name stands within a case."""

    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """One verb, and what must be answered: `expected` None is anything, {} an answer of a mapping.

    Of a mapping only the keys named are looked at; a list must be as long and agree one by one;
    numbers agree to a millionth.
    """

    verb: str
    arguments: Arguments = field(default_factory=dict)
    expected: Any = None


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that a client must be able to do; `connect` comes before the steps."""

    name: str
    does: str
    steps: tuple[Step, ...]


def advance(seconds: float) -> Step:
    """The clock moves."""
    return Step("advance", {"seconds": seconds})


def place(ref: str, action: str, quantity: int, kind: str, **terms: Any) -> Step:
    """An order is placed."""
    order = {"ref": ref, "symbol": SYMBOL, "action": action, "quantity": quantity, "type": kind}
    return Step("place", order | terms, {})


def heard(ref: str, statuses: str, filled: int = 0, **expected: Any) -> Step:
    """The last of these statuses is awaited, then what was heard of the order is looked at."""
    told = statuses.split()
    return Step(
        "order",
        {"ref": ref, "until": told[-1], "filled": filled},
        {"statuses": told, "filled": filled} | expected,
    )


def execution(side: str, quantity: int, price: float, commission: float) -> dict[str, Any]:
    """An execution with its commission, in dollars."""
    return {
        "side": side,
        "quantity": quantity,
        "price": price,
        "commission": commission,
        "currency": "USD",
    }


CONNECT: Final = Step(
    "connect", {"client_id": 1}, {"accounts": [ACCOUNT], "next_order_id": AtLeast(1)}
)
DISCONNECT: Final = Step("disconnect", {}, {"connected": False})
HELD: Final = [[SYMBOL, 50, 590]]
"""The position that the account begins with."""


def bar(seconds: int, prices: tuple[float, float, float, float], volume: int) -> list[float]:
    """A bar, its start in seconds from the beginning of a case."""
    return [NOW_EPOCH + seconds, *prices, volume]


LOOKING: Final = (
    Case("connect", "connects, is told its account and an order id, disconnects, connects again", (
        DISCONNECT,
        CONNECT,
    )),
    Case("contract_details", "learns what SPY is", (
        Step("contract_details", {"symbol": SYMBOL}, [{
            "con_id": 756733, "symbol": SYMBOL, "security_type": "STK", "currency": "USD",
            "min_tick": 0.01, "time_zone": "US/Eastern", "long_name": "SPDR S&P 500 ETF TRUST",
        }]),
    )),
    Case("bars", "gets half hours: one that is over and the one that has just begun", (
        Step("bars", {"symbol": SYMBOL, "duration": "1 D", "size": "30 mins"}, [
            bar(-1800, (600, 600.5, 599.5, 600), 360000),
            bar(0, (600, 600, 600, 600), 0),
        ]),
    )),
    Case("account", "gets the account's values", (
        Step("account", {"tags": ["NetLiquidation", "TotalCashValue", "GrossPositionValue"]}, {
            "NetLiquidation": 1_030_000, "TotalCashValue": 1_000_000, "GrossPositionValue": 30_000,
        }),
    )),
    Case("positions", "gets the position that is there", (Step("positions", {}, HELD),)),
)  # fmt: skip

TRADING: Final = (
    Case("market_order_to_commission", "a market order trades at the ask and costs a dollar", (
        place("market", "BUY", 10, "MKT"),
        heard("market", "PreSubmitted Filled", 10, remaining=0, average_price=600.01, errors=[],
              executions=[execution("BOT", 10, 600.01, 1)], type="MKT", quantity=10),
        Step("positions", {}, [[SYMBOL, 60, (50 * 590 + 10 * 600.01 + 1) / 60]]),
    )),
    Case("limit_resting_then_filled", "a limit order rests until the price goes through it", (
        place("resting", "BUY", 10, "LMT", limit=598),
        heard("resting", "PreSubmitted Submitted", limit=598, type="LMT"),
        advance(15),
        heard("resting", "PreSubmitted Submitted Filled", 10, average_price=598,
              executions=[execution("BOT", 10, 598, 1)], errors=[]),
    )),
    Case("partial_fills", "a big order trades a bar's share at a time, its commission once", (
        place("parts", "BUY", 250, "MKT"),
        heard("parts", "PreSubmitted Submitted", 100, remaining=150, average_price=600.01),
        advance(5),
        heard("parts", "PreSubmitted Submitted", 200, remaining=50, average_price=600.01),
        advance(5),
        heard("parts", "PreSubmitted Submitted Filled", 250, remaining=0, errors=[],
              executions=[execution("BOT", 100, 600.01, 1), execution("BOT", 100, 600.01, 0),
                          execution("BOT", 50, 600.01, 0.25)]),
    )),
    Case("modify", "a resting order's price and quantity are changed, and it trades as changed", (
        place("changed", "BUY", 10, "LMT", limit=590),
        heard("changed", "PreSubmitted Submitted", limit=590, quantity=10),
        Step("modify", {"ref": "changed", "limit": 598, "quantity": 20}, {}),
        advance(15),
        heard("changed", "PreSubmitted Submitted Filled", 20, average_price=598, limit=598,
              quantity=20, executions=[execution("BOT", 20, 598, 1)], errors=[]),
    )),
    Case("cancel", "a resting order is cancelled, with notice 202", (
        place("cancelled", "BUY", 10, "LMT", limit=590),
        heard("cancelled", "PreSubmitted Submitted"),
        Step("cancel", {"ref": "cancelled"}, {}),
        heard("cancelled", "PreSubmitted Submitted Cancelled", executions=[], errors=[202]),
        Step("open_orders", {}, []),
    )),
    Case("what_if", "asks what an order would cost, and has no order afterwards", (
        Step("what_if", {"ref": "asked", "symbol": SYMBOL, "action": "BUY", "quantity": 10,
                         "type": "MKT"}, {
            "initial_margin_before": 15_000, "initial_margin_change": 3_000,
            "maintenance_margin_change": 1_500, "equity_with_loan_after": 1_029_998.9,
            "commission": 1, "currency": "USD",
        }),
        Step("open_orders", {}, []),
        Step("positions", {}, HELD),
    )),
)  # fmt: skip

ATTACHED: Final = (
    Case("bracket", "a parent with take-profit and stop: children wait, one trades, one ends", (
        place("parent", "BUY", 10, "LMT", limit=598, transmit=False),
        place("profit", "SELL", 10, "LMT", limit=603, parent="parent", transmit=False),
        place("loss", "SELL", 10, "STP", stop=595, parent="parent"),
        heard("parent", "PreSubmitted Submitted", parent=""),
        heard("profit", "PreSubmitted", parent="parent"),
        heard("loss", "PreSubmitted", parent="parent"),
        advance(15),
        heard("parent", "PreSubmitted Submitted Filled", 10,
              executions=[execution("BOT", 10, 598, 1)]),
        heard("profit", "PreSubmitted Submitted"),
        advance(20),
        heard("profit", "PreSubmitted Submitted Filled", 10, average_price=603, errors=[]),
        heard("loss", "PreSubmitted Cancelled", executions=[], errors=[202]),
        Step("open_orders", {}, []),
    )),
    Case("oca", "one of a group trades, and the other is cancelled", (
        place("near", "BUY", 10, "LMT", limit=598, oca_group="either", oca_type=1),
        place("far", "BUY", 10, "LMT", limit=590, oca_group="either", oca_type=1),
        heard("near", "PreSubmitted Submitted", oca_group="either"),
        heard("far", "PreSubmitted Submitted", oca_group="either"),
        advance(15),
        heard("near", "PreSubmitted Submitted Filled", 10, average_price=598, errors=[]),
        heard("far", "PreSubmitted Submitted Cancelled", executions=[], errors=[202]),
        Step("open_orders", {}, []),
    )),
    Case("trailing", "a trailing stop follows the price up and sells when it falls back", (
        place("trailing", "SELL", 10, "TRAIL", trail=4),
        heard("trailing", "PreSubmitted", type="TRAIL"),
        advance(40),
        Step("open_orders", {}, [{"ref": "trailing", "quantity": 10}]),
        advance(5),
        heard("trailing", "PreSubmitted Filled", 10, average_price=601.99, errors=[]),
    )),
)  # fmt: skip

RECORDS: Final = (
    Case("completed_orders", "learns of the orders that have ended today", (
        place("done", "BUY", 10, "MKT"),
        heard("done", "PreSubmitted Filled", 10),
        place("ended", "BUY", 10, "LMT", limit=590),
        heard("ended", "PreSubmitted Submitted"),
        Step("cancel", {"ref": "ended"}, {}),
        heard("ended", "PreSubmitted Submitted Cancelled"),
        Step("completed_orders", {}, [
            {"ref": "done", "status": "Filled", "filled": 10},
            {"ref": "ended", "status": "Cancelled", "filled": 0},
        ]),
    )),
    Case("executions", "learns of the executions of today", (
        place("bought", "BUY", 10, "MKT"),
        heard("bought", "PreSubmitted Filled", 10),
        place("sold", "SELL", 20, "MKT"),
        heard("sold", "PreSubmitted Filled", 20),
        Step("executions", {}, [
            {"ref": "bought", "symbol": SYMBOL, "side": "BOT", "quantity": 10, "price": 600.01},
            {"ref": "sold", "symbol": SYMBOL, "side": "SLD", "quantity": 20, "price": 599.99},
        ]),
    )),
)  # fmt: skip

MARKET_DATA: Final = (
    Case("snapshot", "gets bid, ask and last once", (
        Step("snapshot", {"symbol": SYMBOL}, {"bid": 599.99, "ask": 600.01, "last": 600}),
    )),
    Case("market_data_stream", "gets bid, ask and last as they change", (
        Step("subscribe_quotes", {"symbol": SYMBOL}, {}),
        Step("quotes", {"symbol": SYMBOL, "last": 600}, {"bid": 599.99, "ask": 600.01}),
        advance(15),
        Step("quotes", {"symbol": SYMBOL, "last": 598}, {"bid": 597.99, "ask": 598.01}),
        Step("unsubscribe_quotes", {"symbol": SYMBOL}, {}),
    )),
    Case("bar_updates", "gets minutes kept up to date, and bars of five seconds", (
        Step("subscribe_bars", {"symbol": SYMBOL, "duration": "60 S", "size": "1 min"}, [
            bar(-60, (600, 600.5, 599.5, 600), 12000),
            bar(0, (600, 600, 600, 600), 0),
        ]),
        Step("subscribe_real_time_bars", {"symbol": SYMBOL}, {}),
        advance(5),
        Step("real_time_bars", {"count": 1}, [bar(0, (600, 600.5, 599.5, 600), 1000)]),
        advance(55),
        Step("bar_updates", {"start": NOW_EPOCH + 60}, [
            bar(-60, (600, 600.5, 599.5, 600), 12000),
            bar(0, (600, 606, 597, 600), 12000),
            bar(60, (600, 600, 600, 600), 0),
        ]),
        Step("unsubscribe_real_time_bars", {"symbol": SYMBOL}, {}),
        Step("unsubscribe_bars", {}, {}),
    )),
)  # fmt: skip

COMING_BACK: Final = (
    Case("reconnect", "comes back and learns what traded while it was away, and what still works", (
        place("before", "BUY", 10, "MKT"),
        heard("before", "PreSubmitted Filled", 10),
        place("meanwhile", "BUY", 10, "LMT", limit=598),
        heard("meanwhile", "PreSubmitted Submitted"),
        place("waiting", "BUY", 30, "LMT", limit=590),
        heard("waiting", "PreSubmitted Submitted"),
        Step("executions", {}, [{"ref": "before", "id": Same("id of before")}]),
        DISCONNECT,
        advance(15),
        Step("connect", {"client_id": 1}, {"accounts": [ACCOUNT], "next_order_id": AtLeast(4)}),
        Step("positions", {}, [[SYMBOL, 70, (50 * 590 + 10 * 600.01 + 10 * 598 + 2) / 70]]),
        Step("executions", {}, [
            {"ref": "before", "quantity": 10, "price": 600.01, "id": Same("id of before")},
            {"ref": "meanwhile", "quantity": 10, "price": 598},
        ]),
        Step("completed_orders", {}, [
            {"ref": "before", "status": "Filled", "filled": 10},
            {"ref": "meanwhile", "status": "Filled", "filled": 10},
        ]),
        Step("open_orders", {}, [{"ref": "waiting", "status": "Submitted", "quantity": 30}]),
        Step("cancel", {"ref": "waiting"}, {}),
        heard("waiting", "Submitted Cancelled"),
    )),
)  # fmt: skip

CASES: Final = LOOKING + TRADING + ATTACHED + RECORDS + MARKET_DATA + COMING_BACK
"""All cases, in their order."""

BY_NATURE: Final[Mapping[tuple[str, str], str]] = {
    ("nautilus", "completed_orders"): (
        "NautilusTrader's adapter never asks for completed orders: it reconciles from open orders, "
        "positions and executions."
    ),
    ("nautilus", "snapshot"): "NautilusTrader's adapter asks for no snapshots: it subscribes.",
}
"""What a client cannot do by its nature: (client, case) to the reason, as one sentence."""

UNASKED: Final = frozenset({("nautilus", "completed_orders")})
"""Verbs that a client lacks, in cases that it plays without them; `BY_NATURE` has the reason."""


def steps_of(case: Case, client: str) -> tuple[Step, ...]:
    """The steps of a case that a client can take."""
    return tuple(step for step in case.steps if (client, step.verb) not in UNASKED)


def left_out(case: Case, client: str) -> str:
    """What of the case the client plays without, and why, as sentences; "" for nothing."""
    verbs = sorted({step.verb for step in case.steps} - {s.verb for s in steps_of(case, client)})
    return " ".join(f"Without `{verb}`. {BY_NATURE[client, verb]}" for verb in verbs)


class Comparison:
    """Where a case's answers are not what was expected, a sentence each.

    One for a case: it remembers what must be the `Same` in later steps.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def differences(self, answer: Any, expected: Any, where: str = "") -> list[str]:
        """What is wrong with one answer, `where` its part."""
        name = where or "the answer"
        if expected is None:
            return []
        if isinstance(expected, Mapping):
            return self._of_mapping(answer, expected, where)
        if isinstance(expected, list):
            return self._of_list(answer, expected, where)
        if isinstance(expected, AtLeast):
            fits = _is_number(answer) and answer >= expected.low
            return [] if fits else [f"{name} is {answer!r}, not at least {expected.low:g}"]
        if isinstance(expected, Same):
            told = answer if isinstance(answer, str) and answer else "a text"
            expected = self._known.setdefault(expected.name, told)
        return [] if _agree(answer, expected) else [f"{name} is {answer!r}, not {expected!r}"]

    def _of_mapping(self, answer: Any, expected: Mapping[str, Any], where: str) -> list[str]:
        if not isinstance(answer, Mapping):
            return [f"{where or 'the answer'} is {answer!r}, not a mapping"]
        wrong: list[str] = []
        for key, value in expected.items():
            name = f"{where}.{key}" if where else key
            found = key in answer
            wrong += self.differences(answer[key], value, name) if found else [f"{name} is missing"]
        return wrong

    def _of_list(self, answer: Any, expected: list[Any], where: str) -> list[str]:
        if not isinstance(answer, list) or len(answer) != len(expected):
            name = where or "the answer"
            return [f"{name} is {answer!r}, not {len(expected)} long: {expected!r}"]
        wrong: list[str] = []
        for index, value in enumerate(expected):
            wrong += self.differences(answer[index], value, f"{where}[{index}]")
        return wrong


def _agree(answer: Any, expected: Any) -> bool:
    if _is_number(answer) and _is_number(expected):
        return math.isclose(answer, expected, rel_tol=0, abs_tol=1e-6)
    return type(answer) is type(expected) and bool(answer == expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
