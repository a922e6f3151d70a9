"""The composition root: environment -> settings -> doors -> commander. `python -m gateway`.

Ends with 0 when asked to stop (SIGTERM, SIGINT), with 2 for a wrong environment, with 1 when the
world prevents trading: the platform starts it again, and it begins with the four questions.
"""

import asyncio
import gc
import logging
import os
import signal
import sys

from gateway.archive import Archive
from gateway.bus import GoogleBus
from gateway.clock import Clock, SharedClock, WallClock
from gateway.commander import Commander, Inbox
from gateway.config import Config, Misconfigured, described, from_environment
from gateway.floor import Doors
from gateway.lease import Lease, LeaseLost
from gateway.ports import Bus, Conflict, Store, Unavailable
from gateway.safety import Unsafe
from gateway.session import BrokerUnavailable, Session, SessionSettings
from gateway.store import GoogleStore

log = logging.getLogger("gateway")


def commander(config: Config, bus: Bus, store: Store, clock: Clock) -> Commander:
    """Put a commander together over a bus, a store and a clock."""
    inbox = Inbox()
    archive = Archive(store, config.mode)
    settings = SessionSettings(config.ib_host, config.ib_port, config.ib_client_id)
    session = Session(settings, clock.now, inbox.put)
    doors = Doors(bus, archive, session, clock, Lease(archive, config.owner))
    return Commander(doors, config.mode, inbox)


async def serve(config: Config) -> None:
    """Run a gateway over Google's services until it is told to stop."""
    clock = _clock(config)
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


def _clock(config: Config) -> Clock:
    if config.clock_file is None:
        return WallClock()
    try:
        return SharedClock(config.clock_file)
    except (OSError, ValueError) as error:
        raise Misconfigured(f"CLOCK_FILE is no simulator's clock: {error}") from error


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
    except Misconfigured as error:
        log.error("%s", error)
        return 2
    except (BrokerUnavailable, Conflict, LeaseLost, Unavailable, Unsafe, OSError) as error:
        log.error("gateway ends: %s: %s", type(error).__name__, error)
        return 1
    log.info("gateway ends: it was told to stop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
