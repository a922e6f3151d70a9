"""Where and how the simulator listens."""

import ipaddress
import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from gateway.simulator.outages import OutagePlan
from gateway.simulator.pacing import MESSAGES_PER_SECOND_MAX

Pacing = Literal["off", "reject", "pace"]


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where the simulator listens, and its limits.

    `port` 0 takes a free one. `clients_max` is IB's; `connections_max` counts
    those not ready yet too. A client that has not become ready within
    `handshake_seconds_max`, or lets `write_buffer_bytes_max` pile up unread, is cut off.

    Attributes:
        tick_seconds: how often a running clock moves the broker; None for a loop of virtual time:
            no regular tick, but a timer for whatever changes next.
        full_speed: a clock that stands still is moved from change to change, as fast as the
            clients read what they are told, while any is ready.
        pacing: what happens to messages beyond `messages_per_second_max` of virtual time. Off by
            default, for on a frozen clock all messages come in one second.
        outages: the daily restart and the weekly login.
    """

    host: str = "127.0.0.1"
    port: int = 0
    master_client_id: int | None = None
    clients_max: int = 32
    connections_max: int = 128
    handshake_seconds_max: float = 10.0
    write_buffer_bytes_max: int = 16 * 1024 * 1024
    tick_seconds: float | None = 0.05
    full_speed: bool = False
    pacing: Pacing = "off"
    messages_per_second_max: int = MESSAGES_PER_SECOND_MAX
    outages: OutagePlan = field(default_factory=OutagePlan)

    def __post_init__(self) -> None:
        if not is_loopback(self.host):
            raise ValueError(f"the simulator listens on loopback only, not on {self.host!r}")
        if self.pacing not in get_args(Pacing):
            raise ValueError(f"pacing {self.pacing!r} is none of {', '.join(get_args(Pacing))}")
        if self.tick_seconds is not None and not 0 < self.tick_seconds < math.inf:
            raise ValueError(f"a clock cannot tick every {self.tick_seconds} seconds")
        if self.messages_per_second_max < 1:
            raise ValueError("a client must be allowed at least one message per second")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as seen by nobody else."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
