"""The composition root: environment -> settings -> doors -> commander. `python -m gateway`.

Ends with 0 when asked to stop (SIGTERM, SIGINT), with 2 for a wrong environment or account, with 1
when the world prevents trading: the platform starts it again, and it begins with the four
questions.
"""

import asyncio
import gc
import logging
import os
import signal
import sys

from gateway.archive import Archive
from gateway.bus import GoogleBus
from gateway.clock import Clock
from gateway.commander import Commander, Inbox
from gateway.config import (
    Config,
    Misconfigured,
    clock_of,
    described,
    from_environment,
    session_settings,
)
from gateway.floor import Doors
from gateway.lease import Lease, LeaseLost
from gateway.ports import Bus, Conflict, Store, Unavailable
from gateway.safety import Unsafe
from gateway.session import BrokerUnavailable, Session
from gateway.store import GoogleStore

log = logging.getLogger("gateway")


def commander(config: Config, bus: Bus, store: Store, clock: Clock) -> Commander:
    """Put a commander together over a bus, a store and a clock."""
    inbox = Inbox()
    lease = Lease(Archive(store, config.mode), config.owner)
    archive = Archive(store, config.mode, lease.check_held)
    session = Session(session_settings(config, config.ib_client_id), clock.now, inbox.put)
    doors = Doors(bus, archive, session, clock, lease)
    return Commander(doors, config.mode, inbox)


async def serve(config: Config) -> None:
    """Run a gateway over Google's services until it is told to stop."""
    clock = clock_of(config)
    bus = GoogleBus(config.google_cloud_project)
    store = GoogleStore(config.google_cloud_project)
    chief = commander(config, bus, store, clock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, chief.stop)
    gc.collect()
    gc.freeze()  # what is imported stays: a full pass over it takes 40 ms, in the way of an order
    try:
        await chief.run()
    finally:
        await bus.close()
        await store.close()


def main() -> int:
    """Read the environment, serve, and turn what ended it into one line and an exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        config = from_environment(os.environ)
    except Misconfigured as error:
        log.error("%s", error)
        return 2
    log.info("gateway starts: %s", described(config))
    try:
        asyncio.run(serve(config))
    except (Misconfigured, Unsafe) as error:
        log.error("%s", error)
        return 2
    except (BrokerUnavailable, Conflict, LeaseLost, Unavailable, OSError) as error:
        log.error("gateway ends: %s: %s", type(error).__name__, error)
        return 1
    log.info("gateway ends: it was told to stop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
