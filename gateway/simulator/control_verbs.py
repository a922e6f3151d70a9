"""What can be asked of a simulator from outside, as one table: method and path, to a verb.

A verb takes the simulator and the fields that came, does what the API in Python does, and returns
plain values for JSON: quantities and prices as text, times in ISO form, UTC. A field may come as
text or as a number. `ENDPOINTS` is the whole of the port: its help, its checks, its documentation.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from gateway.simulator.control_values import (
    ControlError,
    Fields,
    execution_row,
    instant,
    one_of,
    order_row,
    plain,
    time_text,
)
from gateway.simulator.faults import FAULTS, FaultError
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import Order, OrderTerms
from gateway.simulator.server import Simulator

SECONDS_MAX = 100 * 366 * 86_400
STEPS_MAX = 100_000
FAULT_LOG_MAX = 1_000
"""The latest entries of the log of faults that are told at once."""


type Verb = Callable[[Simulator, Mapping[str, Any], str], Awaitable[Any]]
"""Simulator, fields of query or body, and the last part of the path where the path has one."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing to ask for. A path may end with `/`, then something follows it.

    Attributes:
        example: path and query, then the body, of an example that works.
    """

    method: str
    path: str
    does: str
    verb: Verb
    example: tuple[str, str]

    def curl(self, port: int) -> str:
        """The example as a command line."""
        path, body = self.example
        method = "" if self.method == "GET" else f"-X {self.method} "
        data = f" -d '{body}'" if body else ""
        return f"curl -s {method}'http://127.0.0.1:{port}{path}'{data}"


# ---------------------------------------------------------------------- what there is


async def state(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """Clock, clients, account, positions, cash."""
    Fields(values)
    exchange, account = simulator.exchange, simulator.exchange.account
    return {
        "time": simulator.clock.now().isoformat(),
        "speed": simulator.clock.speed,
        "next_change": time_text(simulator.next_change()),
        "gateway": _gateway(simulator),
        "clients": sorted(exchange.clients),
        "account": account.account_id,
        "base_currency": account.currency,
        "cash": {currency: plain(account.balances[currency]) for currency in account.balances},
        "positions": [
            {
                "symbol": item.listing.key,
                "quantity": plain(item.quantity),
                "average_cost": plain(item.average_cost),
                "realized": plain(item.realized),
            }
            for item in account.holdings.values()
            if item.quantity
        ],
    }


async def orders(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """The orders of today, oldest first; with `open=1` those that work."""
    fields = Fields(values, "open")
    desk = simulator.exchange.orders
    found = list(desk.working)
    if not fields.whole("open", 0, 1):
        found += desk.done
    return [order_row(order) for order in sorted(found, key=lambda order: order.perm_id)]


async def executions(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """The executions since New York midnight, in the order in which they happened."""
    Fields(values)
    record = simulator.exchange.orders.record
    return [execution_row(*item, record.commissions) for item in record.executions]


async def faults(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """Every fault there is, those that are active, and what they did lately."""
    Fields(values)
    known = simulator.faults
    return {
        "known": known.describe(),
        "active": [
            {
                "id": item.id,
                "name": item.name,
                "parameters": {name: plain(value) for name, value in item.parameters.items()},
                "struck": item.struck,
            }
            for item in known.active
        ],
        "log": [
            {
                "time": time_text(item.time),
                "id": item.fault_id,
                "fault": item.fault,
                "what": item.what,
            }
            for item in list(known.log)[-FAULT_LOG_MAX:]
        ],
    }


# ---------------------------------------------------------------------- what can be done


async def inject(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """Start a fault by its name, with its parameters beside it."""
    name = Fields(values, *values).text("name")
    parameters = {key: value for key, value in values.items() if key != "name"}
    if "self" in parameters:
        raise ControlError(400, "no fault has a parameter 'self'")
    try:
        fault_id = simulator.faults.inject(name, **parameters)
    except FaultError as error:
        raise ControlError(400, str(error)) from None
    await simulator.act(_nothing)
    return {"id": fault_id, "name": name}


async def clear(simulator: Simulator, values: Mapping[str, Any], rest: str) -> Any:
    """End a fault; what it held back goes on."""
    Fields(values)
    if not rest.isdecimal():
        raise ControlError(400, f"{rest!r} is not the id of a fault")
    try:
        simulator.faults.clear(int(rest))
    except FaultError as error:
        raise ControlError(404, str(error)) from None
    await simulator.act(_nothing)
    return {"cleared": int(rest)}


async def clock(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """Move the time: `to` an ISO time, by `seconds`, or by so many steps to the next changes."""
    fields = Fields(values, "to", "seconds", "step")
    given = [name for name in ("to", "seconds", "step") if fields.has(name)]
    if len(given) != 1:
        raise ControlError(400, "give one of to, seconds and step")
    if given == ["to"]:
        await simulator.advance_to(instant(fields.text("to")))
    elif given == ["seconds"]:
        seconds = fields.number("seconds")
        if not 0 < seconds <= SECONDS_MAX:
            raise ControlError(400, f"seconds must be above 0 and at most {SECONDS_MAX}")
        span = timedelta(microseconds=int(seconds * 1_000_000))
        await simulator.advance_to(simulator.clock.now() + span)
    else:
        for _step in range(fields.whole("step", 1, STEPS_MAX)):
            if await simulator.step() is None:
                break
    ahead = time_text(simulator.next_change())
    return {"time": simulator.clock.now().isoformat(), "next_change": ahead}


async def trade(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """Someone at TWS trades a signed quantity, at the market without a price."""
    fields = Fields(values, "symbol", "quantity", "price")
    symbol, quantity = fields.text("symbol"), fields.number("quantity")
    price = fields.optional("price")
    if price is not None and price <= 0:
        raise ControlError(400, f"price must be above 0, not {plain(price)}")
    made = await simulator.trade_by_hand(symbol, quantity, price)
    return execution_row(*made, simulator.exchange.orders.record.commissions)


async def place(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """Someone at TWS places an order: `order_type` MKT, LMT with `limit_price`, and so on."""
    names = ("symbol", "action", "quantity", "order_type", "limit_price", "aux_price")
    fields = Fields(values, *names, "tif", "order_ref", "outside_rth")
    listing = simulator.exchange.listing(fields.text("symbol"))
    terms = OrderTerms(
        action=one_of(fields, "action", "BUY", "SELL"),
        quantity=fields.number("quantity"),
        order_type=fields.text("order_type", "MKT"),
        limit_price=fields.optional("limit_price"),
        aux_price=fields.optional("aux_price"),
        tif=fields.text("tif", "DAY"),
        order_ref=fields.text("order_ref", ""),
        outside_rth=bool(fields.whole("outside_rth", 0, 1)),
    )
    return await _placed(simulator, listing.contract(), terms)


async def cancel(simulator: Simulator, values: Mapping[str, Any], rest: str) -> Any:
    """Someone at TWS cancels working orders, by their reference or their permanent id."""
    Fields(values)
    desk = simulator.exchange.orders
    named = desk.by_ref(rest)
    if not named and rest.isdecimal():
        named = [order for order in [desk.find(int(rest))] if order is not None]
    working = [order for order in named if order.working]
    if not working:
        raise ControlError(404, f"no working order has the reference or permanent id {rest!r}")
    for order in working:
        await simulator.act(partial(desk.end, order))
    return [order_row(order) for order in working]


async def split(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """A share becomes `ratio` shares."""
    fields = Fields(values, "symbol", "ratio")
    symbol, ratio = fields.text("symbol"), fields.number("ratio")
    await simulator.act(partial(simulator.exchange.actions.split, symbol, ratio))
    return await state(simulator, {}, "")


async def dividend(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """A dividend is paid, `per_share`, in the share's currency."""
    fields = Fields(values, "symbol", "per_share")
    symbol, amount = fields.text("symbol"), fields.number("per_share")
    await simulator.act(partial(simulator.exchange.actions.dividend, symbol, amount))
    return await state(simulator, {}, "")


async def log_in(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """Someone does the weekly login."""
    Fields(values)
    was_needed = await simulator.log_in()
    return {"was_needed": was_needed, "gateway": _gateway(simulator)}


async def restart(simulator: Simulator, values: Mapping[str, Any], _: str) -> Any:
    """The gateway restarts, now or when so many more messages have come, which are lost."""
    lost = Fields(values, "messages_lost").whole("messages_lost", 0, 1_000_000)
    await simulator.restart(messages_lost=lost)
    return {"gateway": _gateway(simulator)}


ENDPOINTS = (
    Endpoint("GET", "/state", "clock, clients, account, positions, cash", state, ("/state", "")),
    Endpoint(
        "POST",
        "/clock",
        "move the time: to (ISO), by seconds, or by step changes; bars, orders, faults follow",
        clock,
        ("/clock", '{"step": 1}'),
    ),
    Endpoint(
        "POST",
        "/trades",
        "someone at TWS trades a signed quantity, at the market or at a price",
        trade,
        ("/trades", '{"symbol": "SPY", "quantity": "-5", "price": "600.5"}'),
    ),
    Endpoint(
        "POST",
        "/orders",
        "someone at TWS places an order",
        place,
        (
            "/orders",
            '{"symbol": "SPY", "action": "BUY", "quantity": "10", "order_type": "LMT", '
            '"limit_price": "1.5", "tif": "GTC", "order_ref": "by-hand"}',
        ),
    ),
    Endpoint(
        "GET", "/orders", "orders of today; open=1: working ones", orders, ("/orders?open=1", "")
    ),
    Endpoint(
        "DELETE",
        "/orders/",
        "someone at TWS cancels an order, by orderRef or permId",
        cancel,
        ("/orders/by-hand", ""),
    ),
    Endpoint("GET", "/executions", "executions of today", executions, ("/executions", "")),
    Endpoint(
        "POST",
        "/faults",
        "inject a fault by name, with its parameters",
        inject,
        ("/faults", '{"name": "silent_loss", "after": "booking", "order": 3}'),
    ),
    Endpoint("GET", "/faults", "faults there are, active ones, their log", faults, ("/faults", "")),
    Endpoint("DELETE", "/faults/", "end a fault by its id", clear, ("/faults/1", "")),
    Endpoint(
        "POST",
        "/splits",
        "a share becomes ratio shares",
        split,
        ("/splits", '{"symbol": "SPY", "ratio": "2"}'),
    ),
    Endpoint(
        "POST",
        "/dividends",
        "a dividend is paid per share",
        dividend,
        ("/dividends", '{"symbol": "SPY", "per_share": "1.75"}'),
    ),
    Endpoint(
        "POST",
        "/restart",
        "restart the gateway, losing the next messages_lost messages first",
        restart,
        ("/restart", '{"messages_lost": 0}'),
    ),
    Endpoint("POST", "/login", "do the weekly login", log_in, ("/login", "{}")),
)
"""Everything the control port does. The examples work in this order."""


def help_of(port: int) -> Any:
    """What the port can do, with an example each."""
    return {
        "endpoints": [
            {
                "method": item.method,
                "path": item.path + ("ID" if item.path.endswith("/") else ""),
                "does": item.does,
                "curl": item.curl(port),
            }
            for item in ENDPOINTS
        ],
        "faults": sorted(FAULTS),
    }


async def dispatch(simulator: Simulator, method: str, path: str, values: Mapping[str, Any]) -> Any:
    """Do what a request asks for. Raises ControlError, whatever is wrong with it."""
    found = [(item, rest) for item in ENDPOINTS if (rest := _rest(item.path, path)) is not None]
    if not found:
        raise ControlError(404, f"there is nothing at {path}; GET / tells what there is")
    for item, rest in found:
        if item.method == method:
            try:
                return await item.verb(simulator, values, rest)
            except ValueError as error:
                raise ControlError(400, str(error)) from None
            except ArithmeticError:
                raise ControlError(400, "the numbers are too large to reckon with") from None
    methods = " and ".join(item.method for item, _ in found)
    raise ControlError(405, f"{path} understands {methods}, not {method}")


# ---------------------------------------------------------------------- values


def _rest(pattern: str, path: str) -> str | None:
    """What follows a pattern that ends with a slash, "" where it fits as it is, else None."""
    if not pattern.endswith("/"):
        return "" if path == pattern else None
    rest = path.removeprefix(pattern)
    return rest if rest and rest != path and "/" not in rest else None


async def _placed(simulator: Simulator, contract: Contract, terms: OrderTerms) -> Any:
    made: list[Order] = []

    def place_it() -> None:
        made.append(simulator.exchange.orders.place_by_hand(contract, terms))

    await simulator.act(place_it)
    return order_row(made[0])


def _nothing() -> None:
    """Let time pass up to now."""


def _gateway(simulator: Simulator) -> str:
    if simulator.outages.is_logged_out:
        return "logged out"
    return "down" if simulator.outages.is_down else "up"
