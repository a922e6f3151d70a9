"""The commands: one handler each, in a table. Every one leaves `runs/{run_id}` (behaviour 5).

A handler is started only when the run document says STARTED durably and the message is acked; it
is never resumed after a crash, so it must leave a state that the next reconcile can settle.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from gateway import market_data
from gateway.approval import approve
from gateway.cash_balance import cash_balance
from gateway.closing import close_all, reopened
from gateway.core import closing, configuration, holdings, telling
from gateway.core.events import Adopted, NetAsked, NetCause, Resumed, RunOpened
from gateway.core.settlement import CannotSettle, is_called
from gateway.day_checks import eod_check, risk_check, summary
from gateway.dealing import cancel
from gateway.errand import CommandRefused, Errand, unknown_strategy
from gateway.floor import Floor
from gateway.session import BrokerUnavailable, Unresolved
from gateway.settling import corporate_action, transfer, unlock
from schemas.codec import Invalid
from schemas.commands import (
    Adopt,
    Allocate,
    Approve,
    CashBalance,
    CloseAll,
    Command,
    CorporateAction,
    EodCheck,
    Halt,
    MarketData,
    Reconcile,
    ReduceOnly,
    Resume,
    RiskCheck,
    Run,
    Summary,
    Transfer,
    Unlock,
)
from schemas.documents import LedgerEntry, RefusalEntry, RunDocument, path_of
from schemas.settings import ControlDocument
from schemas.values import EXTERNAL, Contract, TradingState


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
    _check_configuration(floor)
    floor.tell(telling.orphaned(floor.desk, errand.run.run_id, floor.now))
    _check_capital(floor)
    named, unknown = _asked(floor, command.strategies)
    markets, failed, documents = await market_data.markets(floor, named, errand.run)
    refusals = (*unknown, *failed)
    floor.tell(telling.refused(floor.mode, r, errand.run.run_id, floor.now) for r in refusals)
    deadline = floor.now + timedelta(seconds=floor.desk.settings.answer_seconds)
    asked = tuple(market.strategy for market in markets)
    opened = replace(errand.run, state="ASKED", asked=asked, deadline=deadline, refusals=refusals)
    floor.happen(RunOpened(opened))
    await floor.persist({**documents})
    for market in markets:
        await floor.publish(market, f"{market.run_id}/{market.strategy}")
    return None


async def _reconcile(floor: Floor, errand: Errand) -> RunDocument:
    await floor.look_around(tolerant=True)
    await floor.close_day()
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
    command: Resume = errand.command
    if command.strategies is not None:
        return reopened(floor, errand)
    await _set_state(floor, errand, TradingState.ACTIVE)
    floor.happen(Resumed())
    locked = ", ".join(sorted(lock.symbol for lock in floor.desk.locks.values()))
    return floor.finished(errand.run, "done", f"still locked: {locked}" if locked else "")


async def _adopt(floor: Floor, errand: Errand) -> RunDocument:
    """Book what is UNEXPLAINED to the ledger that a person names [B3, B4]."""
    command: Adopt = errand.command
    await floor.look_around(tolerant=True)
    contract, missing = _unexplained(floor, command)
    if command.to != EXTERNAL and command.to not in floor.desk.strategies:
        known = ", ".join(sorted(floor.desk.strategies)) or "none"
        raise CommandRefused(
            f"to: {command.to!r} is neither EXTERNAL nor a known strategy ({known}); name one of "
            f"them, or make strategies/{command.to} first"
        )
    entry = LedgerEntry(
        source=f"adopt-{errand.run.run_id}",
        at=floor.now,
        quantity=missing,
        cost=missing * command.price * contract.multiplier,
    )
    floor.happen(Adopted(contract, command.to, entry))
    said = f"{missing:+f} {contract.name} to {command.to} at {command.price:f}"
    return floor.finished(errand.run, "done", said)


type Handler = Callable[[Floor, Errand], Awaitable[RunDocument | None]]

HANDLERS: Final[Mapping[type[Any], Handler]] = {
    Run: _run,
    MarketData: market_data.market_data,
    Reconcile: _reconcile,
    Summary: summary,
    RiskCheck: risk_check,
    EodCheck: eod_check,
    Allocate: _allocate,
    Halt: _halt,
    ReduceOnly: _reduce_only,
    Resume: _resume,
    CloseAll: close_all,
    CashBalance: cash_balance,
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
    floor.happen(control)
    await floor.write({path: control})


def _unexplained(floor: Floor, command: Adopt) -> tuple[Contract, Decimal]:
    desk = floor.desk
    contracts = holdings.contracts(desk)
    found = {
        con_id: missing
        for con_id, missing in desk.unexplained.items()
        if con_id == command.con_id
        or (not command.con_id and is_called(contracts[con_id], command.symbol))
    }
    if len(found) != 1:
        raise CommandRefused(
            f"symbol: {len(found)} contracts named {command.symbol} have something UNEXPLAINED; "
            + ("name one by con_id" if found else "there is nothing to adopt")
        )
    ((con_id, missing),) = found.items()
    if command.quantity is not None and command.quantity != missing:
        raise CommandRefused(
            f"quantity: {command.quantity:f} {command.symbol}, but {missing:f} is UNEXPLAINED; say "
            f"that quantity, or none"
        )
    return contracts[con_id], missing


def _check_configuration(floor: Floor) -> None:
    """What people set must fit together: weights [N2], and how orders are executed [N5]."""
    desk = floor.desk
    found = configuration.refusals(desk.settings, desk.strategies)
    if found:
        raise CommandRefused("; ".join(found))


def _check_capital(floor: Floor) -> None:
    values = floor.desk.values
    if values is None or values.net_liquidation <= 0:
        raise CommandRefused(
            "net liquidation is missing or 0, so nothing can be sized; look at the account in IB's "
            "own client, then say run again"
        )


def _asked(
    floor: Floor, named: tuple[str, ...] | None
) -> tuple[list[str], tuple[RefusalEntry, ...]]:
    """Who is asked: those named, or all, as far as they are enabled and have a function."""
    known = floor.desk.strategies
    refusals = []
    for name in named or ():
        if name not in known:
            refusals.append(unknown_strategy(name, known))
        elif not known[name].enabled:
            sentence = f"strategy {name} is not enabled; set enabled in strategies/{name}"
            refusals.append(RefusalEntry("strategy", sentence))
    wanted = known if named is None else [name for name in dict.fromkeys(named) if name in known]
    asked = [n for n in wanted if known[n].enabled and known[n].universe]
    shut = [name for name in asked if name in floor.desk.closed]
    refusals += [_closed(floor, name) for name in shut]
    return [name for name in asked if name not in shut], tuple(refusals)


def _closed(floor: Floor, name: str) -> RefusalEntry:
    """Why a closed strategy is not asked: whatever it answered, it is to hold nothing."""
    sentence = (
        f"strategy {name} is {closing.why(floor.desk.closed[name])}, so it is not asked; say "
        f"resume with strategies {name}"
    )
    return RefusalEntry("closed", sentence, strategies=(name,))
