"""What the doctor says of Interactive Brokers: sentences, and what to do next. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from gateway.core.broker import BrokerStatus, OrderReport, Quote, masked
from gateway.core.finding import Finding, fail, ok, publish, skip, warn
from gateway.core.orders import own_ref
from schemas.documents import OrderDocument
from schemas.values import Mode

OVER = (BrokerStatus.FILLED, BrokerStatus.CANCELLED, BrokerStatus.REJECTED)

LOGIN = (
    "look at the IB Gateway's screen: it may wait for a login or a second factor; else restart it"
)


def port(host: str, number: int, error: str) -> Finding:
    """Whether anything listens where the IB Gateway should; `error` is empty if so."""
    if not error:
        return ok("ib port", f"something listens at {host}:{number}")
    step = "start the IB Gateway there, or set IB_HOST and IB_PORT"
    return fail("ib port", f"nothing can be reached at {host}:{number} ({error})", step)


def unanswered(error: str) -> Finding:
    """The port is open, and no session came about."""
    return fail("ib api", f"the API does not answer: {error}", LOGIN)


def id_taken(client_id: int) -> Finding:
    """Another program has our own id (error 326)."""
    said = f"client id {client_id} is taken by another program (326), so nothing could be asked"
    return fail("ib api", said, "set IB_DOCTOR_CLIENT_ID to a free one, or end that program")


def answered(version: int, client_id: int) -> Finding:
    """A session came about."""
    return ok("ib api", f"the API answers client id {client_id}, protocol version {version}")


def unsafe(error: str) -> Finding:
    """Not the broker that was meant; the sentence says what to do."""
    said, _, step = error.rpartition(": ")
    return fail("account", said, step)


def account(mode: Mode, name: str, documented: str) -> Finding:
    """The account was checked when the session opened; here: are the documents this account's?"""
    if documented and documented != name:
        theirs = masked(documented)
        said = f"the login is account {masked(name)}, but the documents are of another, {theirs}"
        step = "log in to that account, or use another cloud project: books belong to one account"
        return fail("account", said, step)
    return ok("account", f"{masked(name)} is a {mode} account")


@dataclass(frozen=True, slots=True)
class ClientId:
    """One of our client ids, and what a try to use it told; None: it was not, and `why_not`."""

    number: int
    is_taken: bool | None
    why_not: str = ""


def client_ids(own: int, commander: ClientId, guard: ClientId) -> list[Finding]:
    """Which of our ids are taken at the gateway, and whether that is as it should be."""
    return [_commanders_id(own, commander), _guards_id(guard)]


def _commanders_id(own: int, found: ClientId) -> Finding:
    if found.is_taken is None:
        said = (
            f"{found.number} is the commander's, {found.why_not} (so it was not tried); "
            f"{own} was free for us"
        )
        return ok("client ids", said)
    if found.is_taken:
        said = (
            f"{found.number}, the commander's, is taken (326), and no commander holds the lease: "
            "a new one could not connect"
        )
        step = "end the process that has it (a hung gateway?), or restart the IB Gateway"
        return fail("client ids", said, step)
    return ok("client ids", f"{found.number}, the commander's, is free; {own} was free for us")


def _guards_id(found: ClientId) -> Finding:
    if found.is_taken:
        return ok("guard", f"client id {found.number}, the guard's, is in use")
    step = "start python -m gateway.guard: it cancels our orders when no commander can"
    return warn("guard", f"no guard is connected: client id {found.number} is free", step)


def market_data(mode: Mode, quote: Quote, delayed_data_allowed: bool) -> Finding:
    """Whether prices are live, delayed, or none at all."""
    symbol = quote.contract.symbol
    prices = [f"{name} {value:f}" for name, value in _prices(quote).items() if value is not None]
    if not prices:
        said = f"IB tells no price of {symbol}: no subscription, or the market is closed"
        return warn("market data", said, "subscribe to US stocks at IB; ask again while it is open")
    said = f"{symbol} {', '.join(prices)}"
    if not quote.delayed:
        return ok("market data", f"live: {said}")
    if mode is Mode.PAPER and delayed_data_allowed:
        return ok("market data", f"DELAYED, which delayed_data_allowed allows in paper: {said}")
    step = "subscribe at IB, and in paper share the live account's subscriptions"
    if mode is Mode.PAPER:
        step += f"; or set delayed_data_allowed in config/{mode}"
    return fail("market data", f"DELAYED, so that nothing which grows is ordered: {said}", step)


def _prices(quote: Quote) -> dict[str, Decimal | None]:
    return {"bid": quote.bid, "ask": quote.ask, "last": quote.last}


def open_orders(
    mode: Mode, reports: Iterable[OrderReport], documents: Mapping[str, OrderDocument]
) -> Finding:
    """Whether the orders of ours that work at IB are those that Firestore knows as open."""
    working = [r for r in reports if r.status not in OVER]
    ours = sorted({r.order_ref for r in working if own_ref(mode, r.order_ref)})
    known = {ref for ref, order in documents.items() if order.state != "DONE"}
    strange = [ref for ref in ours if ref not in known]
    lost = sorted(ref for ref in known if ref not in ours and documents[ref].state == "WORKING")
    if not strange and not lost:
        others = len([r for r in working if not own_ref(mode, r.order_ref)])
        return ok("ib orders", f"IB works {len(ours)} orders of ours and {others} of others")
    wrong = [f"IB works {ref}, which is over or unknown here" for ref in strange]
    wrong += [f"{ref} is WORKING here and unknown to IB" for ref in lost]
    return fail("ib orders", "; ".join(wrong), publish(mode, "reconcile"))


def not_asked(reason: str) -> list[Finding]:
    """The questions that an absent session leaves open."""
    checks = ("account", "client ids", "guard", "ib clock", "market data", "law", "ib orders")
    return [skip(check, f"not asked: {reason}") for check in checks]
