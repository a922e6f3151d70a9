"""The command `cash_balance`: foreign balances traded back to the base currency (behaviour 5)."""

from dataclasses import replace
from typing import Final

from gateway.core import cash, telling
from gateway.core.cash import Balance, Survey
from gateway.core.events import NetAsked, NetCause
from gateway.errand import CommandRefused, Errand
from gateway.floor import Floor
from gateway.session import Unresolved
from schemas.commands import CashBalance
from schemas.documents import RefusalEntry, RunDocument
from schemas.values import CASH_BOOK, Contract, TradingState

CASH_BALANCE: Final = "cash_balance"


async def cash_balance(floor: Floor, errand: Errand) -> RunDocument | None:
    """Read the balances anew, find the pairs, and have those over the threshold traded.

    Raises `CommandRefused` while halted, and where nobody knows the account's values.
    """
    command: CashBalance = errand.command
    await floor.look_around()
    if floor.desk.trading_state is TradingState.HALTED:
        raise CommandRefused("trading is halted, so nothing can be changed; say resume first")
    if floor.desk.values is None:
        raise CommandRefused("the broker tells no balances; say reconcile, then cash_balance again")
    found = cash.survey(floor.desk, floor.now)
    pairs, unknown = await _pairs(floor, found)
    refusals = (*found.refusals, *unknown)
    run = replace(errand.run, refusals=refusals, reason=_story(floor, found))
    floor.tell(telling.refused(floor.mode, entry, run.run_id, floor.now) for entry in refusals)
    if not pairs:
        return floor.finished(run, "done")
    floor.opened[run.run_id] = run
    floor.happen(NetAsked(NetCause(CASH_BALANCE, run.run_id, command.dry_run, pairs=pairs)))
    return None


async def _pairs(
    floor: Floor, found: Survey
) -> tuple[dict[str, Contract], tuple[RefusalEntry, ...]]:
    """The pair of each currency that is due, and a refusal where the broker has none."""
    pairs: dict[str, Contract] = {}
    refusals: list[RefusalEntry] = []
    for balance in found.due:
        pair = await _pair(floor, balance)
        if pair is None:
            refusals.append(_no_pair(floor, balance))
        else:
            pairs[balance.currency] = pair
    return pairs, tuple(refusals)


async def _pair(floor: Floor, balance: Balance) -> Contract | None:
    """EUR.USD or USD.EUR, whichever there is at the broker. Raises `BrokerUnavailable`."""
    for pair in cash.pairs(balance.currency, _base(floor)):
        try:
            return await floor.doors.session.resolve(pair)
        except Unresolved:
            continue
    return None


def _no_pair(floor: Floor, balance: Balance) -> RefusalEntry:
    sentence = (
        f"the broker has no pair of {balance.currency} and {_base(floor)} at {cash.EXCHANGE}; "
        f"change {balance.amount:.2f} {balance.currency} by hand there"
    )
    strategies = (CASH_BOOK,)
    return RefusalEntry("no_pair", sentence, balance.currency, 0, strategies, "none", "a pair")


def _story(floor: Floor, found: Survey) -> str:
    return "; ".join(found.sentences) or f"there is nothing but {_base(floor)}"


def _base(floor: Floor) -> str:
    assert floor.desk.values is not None, "the command is refused without"
    return floor.desk.values.base_currency
