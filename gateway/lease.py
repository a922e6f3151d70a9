"""One gateway acts per mode [R3]: a lease in Firestore, in real time, whose epoch only grows.

Times in the document are the wall's and for people: no two machines' clocks are compared. Whether
*we* still hold it is judged by our monotonic clock from the moment before we asked, so a slow
answer or a stopped process can only make it shorter. Whether *another* still holds it, too: by how
long we have seen it not renewed.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.archive import Archive, control_or_halt, decoded, writes
from gateway.livez import Pulse
from gateway.ports import Reads, Write
from schemas.documents import LeaseDocument, path_of
from schemas.settings import ControlDocument

log = logging.getLogger(__name__)


STANDSTILL_SECONDS = 60.0
"""Without an answer about the lease; a renewal has one within 23 s, or ends the process."""


class LeaseLost(Exception):
    """Another gateway holds the lease, or ours ran out: stop trading at once."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Real seconds. The margin covers clocks that differ and a write under way [R3]."""

    ttl_seconds: float = 30.0
    renew_seconds: float = 10.0
    margin_seconds: float = 3.0

    @property
    def poll_seconds(self) -> float:
        """How often one who waits for the lease looks at it."""
        return self.renew_seconds / 10


@dataclass(slots=True)
class Lease:
    """The right to act. `acquire` before anything else, `keep` for as long as the process lives."""

    archive: Archive
    owner: str
    times: LeaseTimes = field(default_factory=LeaseTimes)
    epoch: int = 0
    pulse: Pulse = field(default_factory=lambda: Pulse("the lease", STANDSTILL_SECONDS))
    """Beats with each answer about the lease, whether it is ours or waited for."""
    _good_until: float = 0.0
    _seen: LeaseDocument | None = None
    _seen_since: float = 0.0

    @property
    def path(self) -> str:
        """Where the lease lies."""
        return path_of(LeaseDocument, mode=self.archive.mode)

    def is_held(self) -> bool:
        """Whether we may still write to the broker: no await between asking and writing [W2]."""
        return time.monotonic() < self._good_until - self.times.margin_seconds

    def check_held(self) -> None:
        """Raise `LeaseLost` unless it is held, by our own clock."""
        if not self.is_held():
            raise LeaseLost(f"{self.path} of {self.owner} {self.epoch} ran out")

    async def acquire(self) -> None:
        """Wait until the lease is ours, saying for whom; one not given back is waited out [R3]."""
        waited_for: tuple[str, int] | None = None
        self.pulse.beat()
        while not await self._try_acquire():
            if self._seen is not None and waited_for != (self._seen.owner, self._seen.epoch):
                waited_for = self._seen.owner, self._seen.epoch
                log.warning("waits: %s is held by %s, epoch %d", self.path, *waited_for)
            await asyncio.sleep(self.times.poll_seconds)

    async def keep(self, hear: Callable[[ControlDocument], None]) -> None:
        """Renew until cancelled; the trading state read with it goes to `hear`. Raises `LeaseLost`.

        What a person writes into `control` by hand is thus known one renewal later, for 8,640
        reads more a day, of the 50,000 that Firestore gives for nothing.
        """
        while True:
            await asyncio.sleep(self.times.renew_seconds)
            hear(await self._renew())

    async def release(self) -> None:
        """Give it back, so that the next gateway need not wait. Sends nothing from now on."""
        self._good_until = 0.0
        await self.archive.transact([self.path], self._released)

    async def _try_acquire(self) -> bool:
        before = time.monotonic()
        granted: list[int] = []

        def decide(reads: Reads) -> Sequence[Write]:
            found = self._document(reads)
            granted.clear()
            if found is not None and not self._is_free(found):
                return []
            granted.append(found.epoch + 1 if found is not None else 1)
            return self._write(granted[0])

        await self.archive.transact([self.path], decide)
        self.pulse.beat()
        if granted:
            self.epoch = granted[0]
            self._good_until = before + self.times.ttl_seconds
        return bool(granted)

    async def _renew(self) -> ControlDocument:
        before = time.monotonic()
        control = path_of(ControlDocument, mode=self.archive.mode)
        try:
            reads = await self.archive.transact([self.path, control], self._renewed)
        except LeaseLost:
            self._good_until = 0.0
            raise
        self.pulse.beat()
        self._good_until = before + self.times.ttl_seconds
        return control_or_halt(control, reads[control])

    def check(self, reads: Reads) -> None:
        """Raise `LeaseLost` unless the document read in a transaction says that it is ours [W1]."""
        found = self._document(reads)
        if found is None or (found.owner, found.epoch) != (self.owner, self.epoch):
            holder = f"{found.owner} with epoch {found.epoch}" if found else "nobody"
            raise LeaseLost(f"{self.path} is held by {holder}, not {self.owner} {self.epoch}")

    def _renewed(self, reads: Reads) -> Sequence[Write]:
        self.check(reads)
        return self._write(self.epoch)

    def _released(self, reads: Reads) -> Sequence[Write]:
        found = self._document(reads)
        if found is None or (found.owner, found.epoch) != (self.owner, self.epoch):
            return []
        now = datetime.now(UTC)
        return writes({self.path: LeaseDocument("", self.epoch, now, now)}, {})

    def _write(self, epoch: int) -> Sequence[Write]:
        now = datetime.now(UTC)
        expires = now + timedelta(seconds=self.times.ttl_seconds)
        return writes({self.path: LeaseDocument(self.owner, epoch, now, expires)}, {})

    def _is_free(self, found: LeaseDocument) -> bool:
        """Whether it was given back, or not renewed for its whole length since we first saw it."""
        now = time.monotonic()
        if found != self._seen:
            self._seen, self._seen_since = found, now
        length = (found.expires_at - found.renewed_at).total_seconds()
        return not found.owner or now - self._seen_since > length + self.times.margin_seconds

    def _document(self, reads: Reads) -> LeaseDocument | None:
        data = reads[self.path]
        return None if data is None else decoded(LeaseDocument, self.path, data)
