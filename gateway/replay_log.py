"""`python -m gateway.replay_log RUN_ID`: a run, walked through from its documents.

RUN_ID is a run's id, its beginning if only one of the newest runs begins so, or `last`. Reads
Firestore only. Ends with 0, with 1 and the nearest ids when there is no such run, with 2 for a
wrong environment.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial

from gateway.archive import Archive, decoded, run_path
from gateway.config import Config
from gateway.core.replay import Log, named, nearest, replayed
from gateway.inspection import Unknown, ended, looked, parser_of
from gateway.ports import QueryStore
from gateway.why import crosses, order_of
from schemas.documents import ActivityDocument, RunDocument, TargetsDocument

NEWEST_MAX = 500
"""Runs among which a beginning is looked for; a whole id is found however old it is."""


async def log(store: QueryStore, archive: Archive, asked: str) -> Log:
    """The documents about a run. Raises `Unknown`, `codec.Invalid`, what the store raises."""
    run = await _run(store, archive, asked)
    orders = [await order_of(archive, order_ref) for order_ref in run.orders]
    told = await store.find("activity", "run_id", run.run_id)
    return Log(
        run=run,
        orders=tuple(order for order in orders if order is not None),
        crosses=await crosses(archive, run.crosses),
        activity=tuple(decoded(ActivityDocument, path, data) for path, data in told.items()),
        targets=await archive.collection(TargetsDocument, f"positions/{archive.mode}/targets"),
    )


async def _run(store: QueryStore, archive: Archive, asked: str) -> RunDocument:
    found = await _exactly(archive, asked) if asked != "last" else None
    if found is not None:
        return found
    newest = await store.newest("runs", "started_at", NEWEST_MAX)
    ids = {path.rpartition("/")[2]: path for path in newest}
    name = named(asked, list(ids))
    if name is not None:
        return decoded(RunDocument, ids[name], newest[ids[name]])
    near = ", ".join(nearest(asked, ids))
    said = f"no run {asked!r} among the newest {NEWEST_MAX}, and no document runs/{asked}"
    raise Unknown(f"{said}; nearest: {near}" if near else f"{said}; there is no run at all")


async def _exactly(archive: Archive, asked: str) -> RunDocument | None:
    try:
        path = run_path(asked)
    except ValueError:
        return None
    return await archive.read(RunDocument, path)


async def _over_google(config: Config, store: QueryStore, asked: str) -> Log:
    return await log(store, Archive(store, config.mode), asked)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the walk; the exit code is 0, 1 for an unknown run, 2 for a wrong environment."""
    parser = parser_of("gateway.replay_log", __doc__)
    parser.add_argument("run_id", help="a run's id, its beginning, or last")
    asked = parser.parse_args(arguments).run_id

    def work() -> int:
        found = asyncio.run(looked(partial(_over_google, asked=asked)))
        print("\n".join(replayed(found)))
        return 0

    return ended("gateway.replay_log", work)


if __name__ == "__main__":
    sys.exit(main())
