"""The command `approve`: a person looked at wishes that vanished and lets them be carried out."""

from dataclasses import replace
from typing import Final

from gateway.archive import run_path
from gateway.core import wishes
from gateway.core.batch_limits import TARGETS_VANISHED
from gateway.core.events import NetAsked, NetCause, RunOpened, WishesApproved
from gateway.errand import CommandRefused, Errand
from gateway.floor import Floor
from schemas.commands import Approve
from schemas.documents import RunDocument

_NO_OVERLAY: Final[wishes.Overlay] = {}


async def approve(floor: Floor, errand: Errand) -> RunDocument | None:
    """Net now what the run named wanted; the net closes the run.

    The guard that stopped it lets it pass until those strategies say something newer: so the second
    half of a flip, and what waits for a cancel, need no second approval.
    Raises `CommandRefused` unless that guard stopped it and nobody has said anything newer.
    """
    command: Approve = errand.command
    await floor.look_around()
    stopped = await _stopped(floor, command.run_id)
    newer = _newer(floor, stopped)
    if newer:
        raise CommandRefused(
            f"run_id: {', '.join(newer)} wants something else since {stopped.run_id}; "
            f"say allocate, and approve what that run refuses"
        )
    floor.happen(RunOpened(replace(errand.run, state="ASKED", deadline=floor.now)))
    floor.happen(WishesApproved(tuple(sorted({one.strategy for one in stopped.wanted}))))
    floor.happen(NetAsked(NetCause("approve", errand.run.run_id)))
    return None


async def _stopped(floor: Floor, run_id: str) -> RunDocument:
    """The run that waits for a person. Raises `CommandRefused`."""
    try:
        path = run_path(run_id)
    except ValueError as error:
        raise CommandRefused(f"run_id: {error}") from error
    run = await floor.doors.archive.read(RunDocument, path)
    if run is None:
        raise CommandRefused(f"run_id: there is no run {run_id}; take it from the refusal")
    if not any(entry.rule == TARGETS_VANISHED for entry in run.refusals):
        raise CommandRefused(f"run_id: {run_id} was not refused by {TARGETS_VANISHED}")
    return run


def _newer(floor: Floor, stopped: RunDocument) -> list[str]:
    """Strategies whose wishes come from a message that the run did not know."""
    desk, now = floor.desk, floor.now
    known = {(change.strategy, change.message_id) for change in stopped.wanted}
    wanted = wishes.wanted_changes(desk, _NO_OVERLAY, now).values()
    said = {(change.strategy, change.message_id) for _, changes in wanted for change in changes}
    return sorted({strategy for strategy, _ in said - known})
