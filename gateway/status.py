"""`python -m gateway.status`: positions, books, orders, locks and the last runs on one screen.

Reads Firestore only, never IB: what stands there is what the gateway knew when it wrote it. Ends
with 0, with 1 when Firestore cannot be read, with 2 for a wrong environment. `--json` for programs.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.archive import Archive, decoded
from gateway.clock import Clock
from gateway.config import Config, clock_of
from gateway.core.screen import Standing, as_document, closes, screen
from gateway.inspection import ended, looked, parser_of
from gateway.ports import QueryStore
from schemas.documents import (
    BarsDocument,
    BrokerPositionsDocument,
    LeaseDocument,
    RunDocument,
    SnapshotDocument,
    path_of,
)
from schemas.values import Mode

RUNS_SHOWN = 8


async def standing(store: QueryStore, mode: Mode, clock: Clock) -> Standing:
    """The documents that say where things stand. Raises `codec.Invalid`, what the store raises."""
    archive = Archive(store, mode)
    stored, control, (strategies, _wrong), positions = await asyncio.gather(
        archive.stored(), archive.control_or_halt(), archive.strategies(), _positions(archive)
    )
    bars = await archive.collection(BarsDocument, f"market_data/{mode}/bars")
    return Standing(
        mode=mode,
        now=clock.now(),
        real_now=datetime.now(UTC),
        control=control,
        latches=stored.latches,
        lease=await archive.read(LeaseDocument, path_of(LeaseDocument, mode=mode)),
        snapshot=await archive.read(SnapshotDocument, path_of(SnapshotDocument, mode=mode)),
        day=stored.status,
        strategies=strategies,
        positions=positions.positions if positions else {},
        ledgers=stored.ledgers,
        targets=stored.targets,
        orders=stored.orders,
        runs=await last_runs(store, RUNS_SHOWN),
        closes=closes(list(bars.values())),
    )


async def last_runs(store: QueryStore, count: int) -> list[RunDocument]:
    """The newest runs, newest first."""
    found = await store.newest("runs", "started_at", count)
    return [decoded(RunDocument, path, data) for path, data in found.items()]


async def _positions(archive: Archive) -> BrokerPositionsDocument | None:
    path = path_of(BrokerPositionsDocument, mode=archive.mode)
    return await archive.read(BrokerPositionsDocument, path)


async def _over_google(config: Config, store: QueryStore) -> Standing:
    found = await standing(store, config.mode, clock_of(config))
    return replace(found, project=config.google_cloud_project)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the screen, or one JSON object."""
    parser = parser_of("gateway.status", __doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a screen")
    as_json = parser.parse_args(arguments).json

    def work() -> int:
        found = asyncio.run(looked(_over_google))
        if as_json:
            print(json.dumps(as_document(found), default=_plain, indent=2))
        else:
            print(screen(found))
        return 0

    return ended("gateway.status", work)


def _plain(value: Any) -> Any:
    """What JSON has no word for: exact numbers and times as text, records as objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


if __name__ == "__main__":
    sys.exit(main())
