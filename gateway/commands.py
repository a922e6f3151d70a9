"""The commands: one handler each, in a table. Every one leaves `runs/{run_id}` (behaviour 5).

A handler is started only when the run document says STARTED durably and the message is acked; it
is never resumed after a crash, so it must leave a state that the next reconcile can settle.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from gateway.approval import approve
from gateway.core import holdings, telling
from gateway.core.events import Adopted, NetAsked, NetCause, Resumed, RunOpened
from gateway.core.order_policy import conflicts
from gateway.core.prices import Price
from gateway.core.records import Documents
from gateway.core.settlement import CannotSettle
from gateway.core.wishes import in_flight_shares
from gateway.dealing import cancel
from gateway.errand import CommandRefused, Errand
from gateway.floor import Floor
from gateway.session import BrokerUnavailable, Unresolved
from gateway.settling import corporate_action, transfer, unlock
from schemas.codec import Invalid
from schemas.documents import BarsDocument, LedgerEntry, RefusalEntry, RunDocument, path_of
from schemas.messages import (
    Adopt,
    Allocate,
    Approve,
    Bars,
    Command,
    CorporateAction,
    Halt,
    Holding,
    Market,
    Reconcile,
    ReduceOnly,
    Resume,
    Run,
    Transfer,
    Unlock,
)
from schemas.settings import ControlDocument
from schemas.values import EXTERNAL, BarSpec, Contract, TradingState


async def carry_out(floor: Floor, command: Command, run: RunDocument) -> None:
    """Run the command's handler and close its run document, unless a run stays open for answers."""
    handler = HANDLERS[type(command)]
    try:
        closed = await handler(floor, Errand(command, run))
    except (CannotSettle, CommandRefused, Unresolved, Invalid) as error:
        closed = floor.finished(run, "refused", str(error))
    except BrokerUnavailable as error:
        closed = floor.finished(run, "failed", str(error))
    if closed is not None:
        await floor.persist({path_of(RunDocument, run_id=run.run_id): closed})


async def _run(floor: Floor, errand: Errand) -> RunDocument | None:
    """Reconcile, then ask the strategies; the net comes when they have answered [N1a]."""
    command: Run = errand.command
    await floor.look_around()
    _check_weights(floor)
    _check_policies(floor)
    floor.tell(telling.orphaned(floor.desk, errand.run.run_id, floor.now))
    _check_capital(floor)
    named, unknown = _asked(floor, command.strategies)
    markets, failed, documents = await _markets(floor, named, errand.run)
    refusals = (*unknown, *failed)
    floor.tell(telling.refused(floor.mode, r, errand.run.run_id, floor.now) for r in refusals)
    deadline = floor.now + timedelta(seconds=floor.desk.settings.answer_seconds)
    asked = tuple(market.strategy for market in markets)
    opened = replace(errand.run, state="ASKED", asked=asked, deadline=deadline, refusals=refusals)
    floor.happen(RunOpened(opened))
    await floor.persist(documents)
    for market in markets:
        await floor.publish(market, f"{market.run_id}/{market.strategy}")
    return None


async def _reconcile(floor: Floor, errand: Errand) -> RunDocument:
    await floor.look_around()
    floor.tell(telling.orphaned(floor.desk, errand.run.run_id, floor.now))
    return floor.finished(errand.run, "done")


async def _allocate(floor: Floor, errand: Errand) -> RunDocument | None:
    """Net now, from the last targets [N1b]; the net closes the run."""
    command: Allocate = errand.command
    await floor.look_around()
    floor.happen(RunOpened(replace(errand.run, state="ASKED", deadline=floor.now)))
    floor.happen(NetAsked(NetCause("allocate", errand.run.run_id, command.dry_run)))
    return None


async def _halt(floor: Floor, errand: Errand) -> RunDocument:
    await _set_state(floor, errand, TradingState.HALTED)
    working = [o for o in floor.desk.orders.values() if o.state == "WORKING"]
    await cancel(floor, working)
    return floor.finished(errand.run, "done", f"{len(working)} working orders to cancel")


async def _reduce_only(floor: Floor, errand: Errand) -> RunDocument:
    await _set_state(floor, errand, TradingState.REDUCE_ONLY)
    return floor.finished(errand.run, "done")


async def _resume(floor: Floor, errand: Errand) -> RunDocument:
    await _set_state(floor, errand, TradingState.ACTIVE)
    floor.happen(Resumed())
    locked = ", ".join(sorted(lock.symbol for lock in floor.desk.locks.values()))
    return floor.finished(errand.run, "done", f"still locked: {locked}" if locked else "")


async def _adopt(floor: Floor, errand: Errand) -> RunDocument:
    """Book what is UNEXPLAINED to the ledger that a person names [B3, B4]."""
    command: Adopt = errand.command
    await floor.look_around()
    contract, missing = _unexplained(floor, command)
    if command.to != EXTERNAL and command.to not in floor.desk.strategies:
        raise CommandRefused(f"to: {command.to!r} is neither EXTERNAL nor a known strategy")
    entry = LedgerEntry(
        source=f"adopt-{errand.run.run_id}",
        at=floor.now,
        quantity=missing,
        cost=missing * command.price * contract.multiplier,
    )
    floor.happen(Adopted(contract, command.to, entry))
    said = f"{missing:+f} {contract.symbol} to {command.to} at {command.price:f}"
    return floor.finished(errand.run, "done", said)


type Handler = Callable[[Floor, Errand], Awaitable[RunDocument | None]]

HANDLERS: Final[Mapping[type[Any], Handler]] = {
    Run: _run,
    Reconcile: _reconcile,
    Allocate: _allocate,
    Halt: _halt,
    ReduceOnly: _reduce_only,
    Resume: _resume,
    Adopt: _adopt,
    Transfer: transfer,
    Unlock: unlock,
    CorporateAction: corporate_action,
    Approve: approve,
}
"""Command -> handler. A handler returns the closed run document, or None while a run is open."""


async def _set_state(floor: Floor, errand: Errand, state: TradingState) -> None:
    """Write the trading state on the person's behalf, then act by it."""
    command = errand.command
    control = ControlDocument(state, command.by, command.reason, floor.now)
    path = path_of(ControlDocument, mode=floor.mode)
    await floor.doors.archive.write({path: control})
    floor.happen(control)


def _unexplained(floor: Floor, command: Adopt) -> tuple[Contract, Decimal]:
    desk = floor.desk
    contracts = holdings.contracts(desk)
    found = {
        con_id: missing
        for con_id, missing in desk.unexplained.items()
        if con_id == command.con_id
        or (not command.con_id and contracts[con_id].symbol == command.symbol)
    }
    if len(found) != 1:
        raise CommandRefused(
            f"symbol: {len(found)} contracts named {command.symbol} have something UNEXPLAINED; "
            + ("name one by con_id" if found else "there is nothing to adopt")
        )
    ((con_id, missing),) = found.items()
    if command.quantity is not None and command.quantity != missing:
        raise CommandRefused(
            f"quantity: {command.quantity:f} {command.symbol}, but {missing:f} is UNEXPLAINED"
        )
    return contracts[con_id], missing


def _check_weights(floor: Floor) -> None:
    """A missing weight is an error, never 0 [N2]; the sum may not pass `exposure_gross_max`."""
    enabled = {name: s for name, s in floor.desk.strategies.items() if s.enabled}
    missing = sorted(name for name, s in enabled.items() if s.weight is None)
    if missing:
        raise CommandRefused(f"strategies/{missing[0]} has no weight; say 0 to give it nothing")
    negative = sorted(name for name, s in enabled.items() if (s.weight or 0) < 0)
    if negative:
        raise CommandRefused(f"strategies/{negative[0]} has a weight below 0; go short by targets")
    total = sum((s.weight or Decimal(0) for s in enabled.values()), Decimal(0))
    bound = floor.desk.settings.exposure_gross_max
    if total > bound:
        raise CommandRefused(f"weights of the strategies sum to {total}, over {bound}")


def _check_policies(floor: Floor) -> None:
    """Two who may trade the same contract must want its orders executed alike [N5]."""
    desk = floor.desk
    found = conflicts(desk.strategies, desk.settings.order_policy)
    if found:
        raise CommandRefused("; ".join(found))


def _check_capital(floor: Floor) -> None:
    values = floor.desk.values
    if values is None or values.net_liquidation <= 0:
        raise CommandRefused("net liquidation is missing or 0; nothing can be sized")


def _asked(
    floor: Floor, named: tuple[str, ...] | None
) -> tuple[list[str], tuple[RefusalEntry, ...]]:
    """Who is asked: those named, or all, as far as they are enabled and have a function."""
    known = floor.desk.strategies
    refusals = []
    for name in named or ():
        if name not in known:
            refusals.append(RefusalEntry("strategy", f"strategy {name!r} is not known"))
        elif not known[name].enabled:
            refusals.append(RefusalEntry("strategy", f"strategy {name} is not enabled"))
    wanted = known if named is None else [name for name in dict.fromkeys(named) if name in known]
    return [n for n in wanted if known[n].enabled and known[n].universe], tuple(refusals)


type _Read = dict[tuple[Contract, str, str], Bars]
"""The bars read for a run, by contract, size and duration: strategies may share them."""


async def _markets(
    floor: Floor, named: list[str], run: RunDocument
) -> tuple[list[Market], tuple[RefusalEntry, ...], Documents]:
    """One `Market` a strategy, refusals, and the bars as documents for people to see.

    A strategy whose bars cannot be had is not asked, and so held; the others go on. Raises
    `BrokerUnavailable` when the line is broken.
    """
    as_of = floor.now
    read: _Read = {}
    markets, refusals = [], []
    for name in named:
        try:
            markets.append(await _market(floor, name, read, run))
        except (BrokerUnavailable, CommandRefused, Unresolved) as error:
            if isinstance(error, BrokerUnavailable) and not floor.doors.session.connected:
                raise
            refusals.append(RefusalEntry("market_data", str(error), strategies=(name,)))
    documents = {_bars_path(floor, bars): _bars_document(bars, as_of) for bars in read.values()}
    return markets, tuple(refusals), documents


async def _read_bars(floor: Floor, contract: Contract, spec: BarSpec, read: _Read) -> Bars:
    key = (contract, spec.size, spec.duration)
    if key not in read:
        session = floor.doors.session
        resolved = await session.resolve(contract)
        try:
            bars = await session.bars(resolved, spec.size, spec.duration)
        except Unresolved:
            raise
        except ValueError as error:
            raise CommandRefused(f"bars of {contract.symbol}: {error}") from error
        read[key] = bars
        if bars.close:
            close = Decimal(str(bars.close[-1]))
            _remember_close(floor, resolved.con_id, Price(close, "last close", _end(bars)))
    return read[key]


def _remember_close(floor: Floor, con_id: int, price: Price) -> None:
    known = floor.last_closes.get(con_id)
    if known is None or price.at >= known.at:
        floor.last_closes[con_id] = price


def _end(bars: Bars) -> datetime:
    """When the last bar ended; a daily bar spans the 6.5 hours of a New York session."""
    lengths = {"1 min": 1, "30 mins": 30, "1 day": 390}
    return bars.time[-1] + timedelta(minutes=lengths.get(bars.size, 0))


async def _market(floor: Floor, name: str, read: _Read, run: RunDocument) -> Market:
    desk, strategy = floor.desk, floor.desk.strategies[name]
    spec, values = strategy.bars, desk.values
    if spec is None or values is None:
        raise CommandRefused(f"strategies/{name} has a universe but names no bars")
    bars = [await _read_bars(floor, contract, spec, read) for contract in strategy.universe]
    weight = strategy.weight or Decimal(0)
    return Market(
        run_id=run.run_id,
        strategy=name,
        as_of=floor.now,
        valid_until=floor.now + timedelta(minutes=desk.settings.fresh_minutes),
        capital=values.net_liquidation * desk.settings.exposure_overall * weight,
        base_currency=values.base_currency,
        bars=tuple(bars),
        book=_holdings(floor, name),
        parameters=strategy.parameters,
        dry_run=run.dry_run,
        exchange_rates=_exchange_rates(floor, bars),
    )


def _exchange_rates(floor: Floor, bars: Sequence[Bars]) -> dict[str, Decimal]:
    """What one unit of each currency needed is worth in the base currency, where it is known."""
    desk = floor.desk
    base = [desk.values.base_currency] if desk.values else []
    needed = sorted({*base, *(one.contract.currency for one in bars)})
    rates = {currency: desk.rate(currency) for currency in needed}
    return {currency: rate for currency, rate in rates.items() if rate is not None}


def _holdings(floor: Floor, name: str) -> tuple[Holding, ...]:
    """What the strategy's book holds, with what its part of working orders may still add."""
    desk = floor.desk
    ledger = desk.ledgers.get(name)
    positions = ledger.positions.values() if ledger else ()
    return tuple(
        Holding(
            p.contract,
            p.quantity,
            in_flight_shares(desk.open_order(p.contract.con_id)).get(name, Decimal(0)),
        )
        for p in positions
    )


def _bars_path(floor: Floor, bars: Bars) -> str:
    name = f"{bars.contract.symbol}-{bars.contract.con_id}-{bars.size.replace(' ', '')}"
    return path_of(BarsDocument, mode=floor.mode, bars=name)


def _bars_document(bars: Bars, as_of: datetime) -> BarsDocument:
    return BarsDocument(
        contract=bars.contract,
        size=bars.size,
        as_of=as_of,
        time=bars.time,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
    )
