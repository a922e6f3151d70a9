"""The link between the gateway and IB: lost, restored, restored without the data; farm notices.

The API socket stays open through all of it.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.simulator.faults.fault import Fault
from gateway.simulator.faults.quotes import TICKS
from gateway.simulator.faults.subjects import kind_of, request_id
from gateway.simulator.notices import DEFINITIONS_FARM_OK, FARM_OK, HISTORY_FARM_OK, Refusal
from gateway.simulator.replies import Delivery, HistoricalDataUpdate, Notice
from gateway.simulator.requests import CancelOrder, GlobalCancel, PlaceOrder

LOST = Notice(-1, 1100, "Connectivity between IBKR and Trader Workstation has been lost.")
RESTORED_KEPT = Notice(
    -1,
    1102,
    "Connectivity between IBKR and Trader Workstation has been restored - data maintained. All "
    "data farms are connected: usfarm; ushmds; secdefnj.",
)
RESTORED_LOST = Notice(
    -1,
    1101,
    "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
)
LOCAL = frozenset({"current_time", "next_id", "managed_accounts", "server_log_level"})
"""Requests that the gateway answers by itself while the link is down."""
STREAMS = (*TICKS, HistoricalDataUpdate)
"""What a subscription goes on to send; after 1101 it does not, until it is made anew."""

FARMS: dict[int, tuple[str, Refusal]] = {
    2103: (
        "Market data farm connection is broken:usfarm",
        FARM_OK,
    ),
    2105: (
        "HMDS data farm connection is broken:ushmds",
        HISTORY_FARM_OK,
    ),
    2107: (
        "HMDS data farm connection is inactive but should be available upon demand.ushmds",
        HISTORY_FARM_OK,
    ),
    2108: (
        "Market data farm connection is inactive but should be available upon demand.usfarm",
        FARM_OK,
    ),
    2110: (
        "Connectivity between Trader Workstation and server is broken. It will be restored "
        "automatically.",
        Refusal(1102, RESTORED_KEPT.text),
    ),
    2157: (
        "Sec-def data farm connection is broken:secdefnj",
        DEFINITIONS_FARM_OK,
    ),
}
"""Each notice of a broken farm with the one that takes it back: ib.md 4, D3."""


@dataclass(kw_only=True, eq=False)
class LinkLost(Fault):
    """1100, and after `seconds` 1102 (data kept) or 1101 (data lost: streams are dead).

    Meanwhile orders are `lost` or `refused`, cancels lost. What happens at the broker meanwhile is
    not told and must be asked for afterwards (`news` dropped), or arrives all the same (live): both
    were seen. `notices` 1100s are spread over the time. Source: ib.md 4, D3, F4 to F6;
    Lean.Brokerages.InteractiveBrokers #249.
    """

    seconds: float = 30.0
    data: Literal["kept", "lost"] = "kept"
    orders: Literal["lost", "refused"] = "lost"
    news: Literal["dropped", "live"] = "dropped"
    notices: int = 1

    down: bool = field(init=False, default=False)
    fresh: set[tuple[int, int]] | None = field(init=False, default=None, repr=False)

    def begin(self) -> None:
        """The link breaks."""
        self.down = True
        for index in range(self.notices):
            self.later(self.seconds * index / self.notices, self._say_lost)
        self.later(self.seconds, self._restore)

    def end(self) -> None:
        """Clearing restores the link at once."""
        self._restore()

    def on_request(self, client_id: int, request: Any) -> Any | None:
        """Without the link the gateway can pass nothing on."""
        if not self.down:
            self._note_stream(client_id, request)
            return request
        if isinstance(request, PlaceOrder):
            self._lose(client_id, request)
            return None
        lost = isinstance(request, CancelOrder | GlobalCancel)
        passes = (self.news == "live" and not lost) or kind_of(request) in LOCAL
        return request if passes else None

    def on_replies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Nothing comes over a broken link; dead streams stay dead."""
        if self.down and self.news == "dropped":
            return [item for item in deliveries if _is_local(item)]
        if self.fresh is not None:
            return [item for item in deliveries if self._is_alive(item)]
        return deliveries

    def _say_lost(self) -> None:
        if self.down:
            self.note("link lost")
            self.say_to_all(LOST)

    def _restore(self) -> None:
        if not self.down:
            return
        self.down = False
        self.fresh = set() if self.data == "lost" else None
        self.note("link restored")
        self.say_to_all(RESTORED_LOST if self.data == "lost" else RESTORED_KEPT)

    def _lose(self, client_id: int, request: PlaceOrder) -> None:
        self.note(f"order {request.order_id} of client {client_id} {self.orders}")
        if self.orders == "refused":
            text = f"Order rejected - reason:{LOST.text}"
            self.say(client_id, Notice(request.order_id, 201, text))

    def _note_stream(self, client_id: int, request: Any) -> None:
        if self.fresh is not None and request_id(request) != -1:
            self.fresh.add((client_id, request_id(request)))

    def _is_alive(self, delivery: Delivery) -> bool:
        client_id, reply = delivery
        stream = isinstance(reply, STREAMS)
        return not stream or (client_id, request_id(reply)) in (self.fresh or ())

    def on_connect(self, client_id: int) -> None:
        """A client that connects while the link is down hears it at once."""
        if self.down:
            self.later(0, lambda: self.say(client_id, LOST) if self.down else None)


@dataclass(kw_only=True, eq=False)
class NightlyDisconnects(LinkLost):
    """The nightly reset: a burst of 1100s, about one in four seconds, then 1102."""

    seconds: float = 60.0
    notices: int = 15


@dataclass(kw_only=True, eq=False)
class FarmNotices(Fault):
    """A farm notice (2103, 2105, 2107, 2108, 2110, 2157), and its all-clear after `seconds`.

    Information only: nothing else changes.
    """

    code: Literal[2103, 2105, 2107, 2108, 2110, 2157] = 2103
    seconds: float = 10.0

    def begin(self) -> None:
        """Tell everybody."""
        text, all_clear = FARMS[self.code]
        self.say_to_all(Notice(-1, self.code, text))
        clear = Notice(-1, *all_clear)
        self.later(self.seconds, lambda: self.say_to_all(clear))


def _is_local(delivery: Delivery) -> bool:
    """Whether the gateway says this by itself."""
    return kind_of(delivery[1]) in {"current_time", "next_valid_id", "managed_accounts"}
