"""The composition root: environment -> settings -> doors -> commander. `python -m gateway`.

Ends with 1 when the world prevents trading: the platform starts it again, and it begins with the
four questions. The other exit codes are those of `gateway.process`.
"""

import logging
import sys
from typing import Final

from gateway.archive import Archive
from gateway.clock import Clock
from gateway.commander import Commander
from gateway.config import Config, session_settings
from gateway.floor import Doors
from gateway.inbox import Inbox
from gateway.lease import Lease, LeaseLost
from gateway.ports import Bus, Conflict, Denied, Store, Unavailable
from gateway.process import Program
from gateway.session import BrokerUnavailable, Session

log = logging.getLogger("gateway")


def commander(config: Config, bus: Bus, store: Store, clock: Clock) -> Commander:
    """Put a commander together over a bus, a store and a clock."""
    inbox = Inbox()
    lease = Lease(Archive(store, config.mode), config.owner)
    archive = Archive(store, config.mode, lease.check_held)
    session = Session(session_settings(config, config.ib_client_id), clock.now, inbox.put)
    doors = Doors(bus, archive, session, clock, lease)
    return Commander(doors, config.mode, inbox)


PROGRAM: Final = Program(
    "gateway",
    log,
    commander,
    (BrokerUnavailable, Conflict, Denied, LeaseLost, Unavailable, OSError),
)


if __name__ == "__main__":
    sys.exit(PROGRAM.main())
