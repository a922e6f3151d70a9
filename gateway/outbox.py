"""Reports on their way: written into `activity` with what they tell, then published, at least once.

A report is in `activity` in the very commit that makes it true. It waits here until the topic has
it; when the gateway ends before that, the next one publishes it, under the same event id.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from gateway.archive import Archive, decoded
from gateway.core import telling
from gateway.ports import Bus, Document, Unavailable
from gateway.publishing import publish
from schemas import codec
from schemas.documents import ActivityDocument, path_of
from schemas.messages import Report
from schemas.values import Mode

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
"""Reports published side by side: one request, and far from what Google's client lets wait."""

WAITING_MAX: Final = 10_000
"""Reports that may wait for the bus, some days of them; with more the gateway ends."""


@dataclass(slots=True)
class Outbox:
    """What one gateway has told and the topic may not have yet."""

    bus: Bus
    mode: Mode
    number: int = 0
    """That of the last report written, by whichever gateway."""
    waiting: dict[str, ActivityDocument] = field(default_factory=dict)
    """Written and not known to be on the topic, by path, oldest first."""
    again_seconds: float = 10.0
    """Real seconds between attempts while the bus is away: each may hold up the loop for five."""
    _again_at: float = 0.0

    @property
    def pause_seconds(self) -> float | None:
        """How long until what waits is to be tried again; None when nothing does."""
        return max(0.0, self._again_at - time.monotonic()) if self.waiting else None

    def notes(self, reports: Iterable[Report], epoch: int) -> dict[str, ActivityDocument]:
        """The documents of reports, by path; to be handed to `written` once they are."""
        oldest = next(iter(self.waiting.values()), None)
        published_to = self.number if oldest is None else oldest.number - 1
        found = {}
        for number, report in enumerate(reports, self.number + 1):
            activity_id = f"{report.at:%Y%m%dT%H%M%S%f}-{number:08d}-{epoch}"
            path = path_of(ActivityDocument, activity_id=activity_id)
            found[path] = telling.noted(report, number, published_to)
        return found

    def written(self, notes: Mapping[str, ActivityDocument]) -> None:
        """They are in `activity` now and wait to be published."""
        self.number += len(notes)
        self.waiting.update(notes)

    async def publish(self) -> None:
        """Publish what waits; while the bus is away it goes on waiting, and the log says so.

        Raises `Unavailable` when too much waits, and what no waiting mends.
        """
        if not self.waiting or time.monotonic() < self._again_at:
            return
        failure: BaseException | None = None
        while self.waiting and failure is None:
            failure = await self._publish_some()
        self._again_at = 0.0
        if failure is None:
            return
        if not isinstance(failure, Unavailable):
            raise failure
        count = len(self.waiting)
        if count > WAITING_MAX:
            raise Unavailable(f"{count} reports wait to be published: {failure}") from failure
        self._again_at = time.monotonic() + self.again_seconds
        pause = f"tried again in {self.again_seconds:g} s"
        log.warning("%d reports wait to be published, %s: %s", count, pause, failure)

    async def go_on(self, archive: Archive) -> None:
        """Take up what the last gateway may not have published, and publish it.

        That it is, is noted in its last document, or each restart would publish the same again.
        """
        last = list((await archive.store.newest("activity", "number", 1)).values())
        self.number = int(last[0]["number"]) if last else 0
        count = self.number - int(last[0].get("published_to", self.number)) if last else 0
        if not count:
            return
        newest = await archive.store.newest("activity", "number", count)
        self.waiting = dict(_readable(reversed([*newest.items()])))
        if not self.waiting:
            return
        path, note = list(self.waiting.items())[-1]
        await self.publish()
        if not self.waiting:
            await archive.write({path: replace(note, published_to=self.number)})

    async def _publish_some(self) -> BaseException | None:
        """The oldest, side by side; what one of them failed with, if any did."""
        some = dict(islice(self.waiting.items(), AT_ONCE))
        outcomes = await asyncio.gather(
            *(self._publish(path, note) for path, note in some.items()), return_exceptions=True
        )
        for path, outcome in zip(some, outcomes, strict=True):
            if outcome is None:
                self.waiting.pop(path, None)
        return next((outcome for outcome in outcomes if outcome is not None), None)

    async def _publish(self, path: str, note: ActivityDocument) -> None:
        """Publish one; what Pub/Sub refuses for good stays in `activity` alone, and in the log."""
        report = telling.report_of(note, self.mode)
        try:
            await publish(self.bus, self.mode, report, path.rpartition("/")[2], report.at)
        except ValueError as error:
            log.error("%s can never be published: %s", path, error)


def _readable(
    documents: Iterable[tuple[str, Document]],
) -> Iterator[tuple[str, ActivityDocument]]:
    """Those that this version understands; another one's it cannot publish."""
    for path, data in documents:
        try:
            yield path, decoded(ActivityDocument, path, data)
        except codec.Invalid as error:
            log.warning("it is not published again: %s", error)
