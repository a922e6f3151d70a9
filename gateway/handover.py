"""`python -m gateway.handover`: wait until no gateway acts, before another version is started.

A deploy stops the gateway that runs and then waits here, so that never two of them ask for the
second factor, and the next need not wait out a lease. Reads `leases/{mode}` and nothing else; needs
MODE and GOOGLE_CLOUD_PROJECT. Ends with 0 once the lease was given back, or was not renewed for all
its length; with 1 when it is still held; with 2 for a wrong environment.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.archive import Archive
from gateway.config import mode_and_project
from gateway.core.logins import span
from gateway.inspection import ended, parser_of
from gateway.ports import Store, Unavailable
from gateway.store import GoogleStore
from schemas.documents import LeaseDocument, path_of
from schemas.values import Mode


class StillHeld(Exception):
    """Somebody still has the lease, or nobody can tell; the text says who."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Real seconds. A stopped gateway has ten to give its lease back; a killed one's lasts 30 more.

    The margin is the lease's own [R3].
    """

    total_seconds: float = 120.0
    margin_seconds: float = 3.0
    poll_seconds: float = 1.0


async def vacated(store: Store, mode: Mode, patience: Patience | None = None) -> str:
    """Wait until no gateway acts; a sentence that says since when. Raises `StillHeld`.

    No two machines' clocks are compared: that a holder is gone is told by our own, from when we
    first saw what is still there.
    """
    patience = patience or Patience()
    path = path_of(LeaseDocument, mode=mode)
    end = time.monotonic() + patience.total_seconds
    seen, since = None, time.monotonic()
    while True:
        said = f"{path} cannot be read"
        try:
            found = await Archive(store, mode).read(LeaseDocument, path)
        except Unavailable as error:
            said = f"{said}: {error}"
        else:
            if found != seen:
                seen, since = found, time.monotonic()
            gone = _gone(path, found, time.monotonic() - since - patience.margin_seconds)
            if gone or found is None:
                return gone
            said = f"{path} is held by {found.owner}, epoch {found.epoch}, who renews it"
        if time.monotonic() > end:
            raise StillHeld(f"{said}; waited {patience.total_seconds:g} s")
        await asyncio.sleep(patience.poll_seconds)


def _gone(path: str, found: LeaseDocument | None, unchanged_seconds: float) -> str:
    """Why no gateway acts; empty while one does."""
    if found is None:
        return f"no gateway has ever held {path}."
    if not found.owner:
        return f"{path} was given back, epoch {found.epoch}."
    length = found.expires_at - found.renewed_at
    if timedelta(seconds=unchanged_seconds) <= length:
        return ""
    return (
        f"{path} was not given back, but {found.owner}, epoch {found.epoch}, has not renewed it "
        f"for {span(length)}: it was killed. The next gateway settles what it left."
    )


def _options(arguments: Sequence[str] | None) -> Any:
    parser = parser_of("gateway.handover", __doc__)
    seconds = Patience().total_seconds
    parser.add_argument("--seconds", type=float, default=seconds, help=f"how long ({seconds:g})")
    return parser.parse_args(arguments)


async def _over_google(patience: Patience) -> str:
    mode, project = mode_and_project(os.environ)
    store = GoogleStore(project)
    try:
        return await vacated(store, mode, patience)
    finally:
        await store.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Wait, and say what came of it."""
    options = _options(arguments)

    def work() -> int:
        try:
            print(asyncio.run(_over_google(Patience(options.seconds))))
        except StillHeld as error:
            print(f"gateway.handover: {error}.", file=sys.stderr)
            return 1
        return 0

    return ended("gateway.handover", work)


if __name__ == "__main__":
    sys.exit(main())
