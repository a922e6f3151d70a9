"""The commands `close_all`, and `resume` with names: books that a person closes and opens again."""

from dataclasses import replace

from gateway.core import closing, remains
from gateway.core.events import Closed, NetAsked, NetCause, Reopened
from gateway.core.netting import Plan
from gateway.errand import CommandRefused, Errand
from gateway.floor import Floor
from gateway.session import BrokerUnavailable
from schemas.commands import CloseAll, Resume
from schemas.documents import RunDocument
from schemas.values import TradingState

CLOSE_ALL = "close_all"


async def close_all(floor: Floor, errand: Errand) -> RunDocument | None:
    """Latch the books closed, then net at once; an open run goes on and is netted at its barrier.

    The books are latched before the broker is asked anything, so that nothing is bought for them
    while it cannot be reached; then the run has failed, and a person has to say it again. Raises
    `CommandRefused` while halted and for a name that nobody has, and what `configure` raises.
    """
    command: CloseAll = errand.command
    run_id = errand.run.run_id
    await floor.configure(tolerant=True)
    if floor.desk.trading_state is TradingState.HALTED:
        raise CommandRefused(
            "trading is halted, so nothing can be sold and nothing was closed; say reduce_only, "
            "then close_all again"
        )
    if not command.dry_run:
        floor.happen(_closed(floor, command, run_id))
    try:
        await floor.look_around(tolerant=True)
    except BrokerUnavailable as error:
        latched = "" if command.dry_run else "; the books are latched closed, not sold: "
        reason = f"{error}{latched or '; '}say close_all again once the broker is back"
        return floor.finished(errand.run, "failed", reason)
    event = _closed(floor, command, run_id)  # EXTERNAL by what the broker has told just now
    if not event.closures:
        return floor.finished(errand.run, "done", "EXTERNAL holds nothing: there is no more to do")
    net_closed(floor, errand.run, event)
    return None


def net_closed(floor: Floor, run: RunDocument, event: Closed) -> None:
    """Close and net; the net closes the run. A dry run closes nothing but for its own net."""
    floor.opened[run.run_id] = run
    if not run.dry_run:
        floor.happen(event)
    closures = event.closures if run.dry_run else {}
    floor.happen(NetAsked(NetCause(CLOSE_ALL, run.run_id, run.dry_run, closing=closures)))


def _closed(floor: Floor, command: CloseAll, run_id: str) -> Closed:
    try:
        return closing.closed(floor.desk, command, run_id, floor.now)
    except closing.CannotClose as error:
        raise CommandRefused(str(error)) from error


def reopened(floor: Floor, errand: Errand) -> RunDocument:
    """Lift the latches of those named, and nothing else. Raises `CommandRefused`."""
    command: Resume = errand.command
    desk, names = floor.desk, tuple(sorted({*(command.strategies or ())}))
    open_ = [name for name in names if name not in desk.closed]
    if open_:
        known = ", ".join(sorted(desk.closed)) or "nobody"
        raise CommandRefused(f"strategies: {open_[0]!r} is not closed; closed: {known}")
    floor.happen(Reopened(names))
    said = f"{', '.join(names)} may hold something again, as of what was said since"
    if desk.trading_state is not TradingState.ACTIVE:
        said = f"{said}; trading stays {desk.trading_state}"
    return floor.finished(errand.run, "done", said)


def with_story(run: RunDocument, floor: Floor, plan: Plan, cause: NetCause) -> RunDocument:
    """The run document of a `close_all` with what stays open; any other as it is."""
    if cause.reason != CLOSE_ALL:
        return run
    return replace(run, reason=remains.story(floor.desk, cause, plan))
