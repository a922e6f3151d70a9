"""The commands that look at the day: summary, risk_check, eod_check. They work while halted.

Each reads the broker anew first. What it finds stands in its run document, and is told where a
person should see it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from gateway import calendar, dealing
from gateway.closing import net_closed
from gateway.core import closing, findings, holdings, valuation
from gateway.core.events import Checked
from gateway.core.findings import Finding
from gateway.core.hours import in_new_york
from gateway.errand import Errand
from gateway.floor import Floor
from schemas.commands import EodCheck
from schemas.documents import RunDocument
from schemas.messages import Report
from schemas.new_york import new_york_date
from schemas.values import Contract, TradingState

EXCHANGE: Final = Contract("SPY", primary_exchange="ARCA")
"""Its hours are the day's: what else trades may go on, the day of this system is New York's."""


async def summary(floor: Floor, errand: Errand) -> RunDocument:
    """The account, what is held and what it made, working orders, today's fills."""
    await _look(floor)
    return _found(floor, errand, findings.summary(floor.desk, floor.now))


async def risk_check(floor: Floor, errand: Errand) -> RunDocument:
    """Losses, exposure, stuck orders; a loss over its bound is latched by the reading itself."""
    await _look(floor)
    floor.happen(Checked("risk_check"))
    return _found(floor, errand, findings.risk(floor.desk, floor.now))


async def eod_check(floor: Floor, errand: Errand) -> RunDocument | None:
    """The law, open orders, what each book made today; remembered for tomorrow's comparison."""
    command: EodCheck = errand.command
    too_early = await _too_early(floor, command.minutes_to_close_max)
    if too_early:
        return floor.finished(errand.run, "done", too_early)
    await _look(floor)
    made, unknown = valuation.pnl_of_books(floor.desk)
    before, event = floor.desk, Checked("eod_check", made)
    floor.happen(event)
    found = findings.end_of_day(floor.desk, floor.now, unknown)
    if command.dry_run:
        floor.desk = before
    if not floor.desk.settings.enforce_flat_eod:
        return _found(floor, errand, found)
    return _flat(floor, errand, found)


def _flat(floor: Floor, errand: Errand, found: Sequence[Finding]) -> RunDocument | None:
    """Close all books for today; the net that does it closes the run."""
    if floor.desk.trading_state is TradingState.HALTED:
        sentence = "enforce_flat_eod: trading is halted, so nothing is closed; sell by hand, or say"
        return _found(floor, errand, [*found, Finding(f"{sentence} reduce_only", is_alert=True)])
    event = closing.for_today(floor.desk, errand.run.run_id, floor.now)
    net_closed(floor, _told(floor, errand.run, found), event)
    return None


async def _too_early(floor: Floor, minutes_max: int | None) -> str:
    """Why there is nothing to do yet, or any more; empty if the exchange is about to close.

    Nor if it has closed today and nobody has looked: a command may come late, as after a restart.
    """
    if minutes_max is None:
        return ""
    today = new_york_date(floor.now)
    sessions = await calendar.sessions(EXCHANGE, today, today)
    if sessions is None or not sessions.spans:
        return f"New York's exchange is closed on {today.isoformat()}: nothing to check"
    closes_at = sessions.spans[-1].closes_at
    left = closes_at - floor.now
    is_missed = left < timedelta() and not _has_looked(floor, today)
    if is_missed or timedelta() <= left <= timedelta(minutes=minutes_max):
        return ""
    return f"New York's exchange closes at {in_new_york(closes_at)}: nothing to check now"


def _has_looked(floor: Floor, today: date) -> bool:
    status = floor.desk.status
    looked_at = status.checks.get("eod_check") if status else None
    return looked_at is not None and new_york_date(looked_at) == today


async def _look(floor: Floor) -> None:
    """The account, and a price for all that is held."""
    await floor.look_around(tolerant=True)
    await floor.close_day()
    held = holdings.contracts(floor.desk)
    await dealing.price(floor, held)


def _found(floor: Floor, errand: Errand, found: Sequence[Finding]) -> RunDocument:
    alerts = [one for one in found if one.is_alert]
    reason = f"{len(alerts)} of {len(found)} findings need a person" if alerts else ""
    return floor.finished(_told(floor, errand.run, found), "done", reason)


def _told(floor: Floor, run: RunDocument, found: Sequence[Finding]) -> RunDocument:
    """The run document with what was found; what needs a person is told."""
    floor.tell(
        Report(
            "alert",
            floor.now,
            floor.mode,
            f"{run.command}: {one.sentence}",
            run_id=run.run_id,
            symbol=one.symbol,
            con_id=one.con_id,
            details={"alert": one.alert},
        )
        for one in found
        if one.is_alert
    )
    return replace(run, findings=tuple(one.sentence for one in found))
