"""The official Python client as its driver uses it: what it hears, and what it complains of.

Here is all that sets the two builds apart: 9.81.1.post1, the last of IB's own on the index (server
version 157), and those of today, which speak 178 with a simulator.
"""

import inspect
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ibapi.client import EClient  # type: ignore[import-not-found]
from ibapi.wrapper import EWrapper  # type: ignore[import-not-found]

WAIT_SECONDS_MAX: Final = 10
CLIENT_CODES: Final = range(500, 600)
"""Of errors that a client makes up by itself: bad message, unknown message, out of date ..."""


@dataclass(frozen=True, slots=True)
class Build:
    """Where one build's names and signatures are not the other's."""

    commission_report: str
    """The callback."""
    commission: str
    """The amount, in a report as in an order's state; its currency is named after it there."""
    error_code: int
    """Its place among the arguments of the callback `error`; the text comes next."""
    cancelling: tuple[Any, ...]
    """Arguments of `cancelOrder` after the order id."""
    switched_off: tuple[str, ...]
    """Attributes of Order that are on by default, and that IB no longer takes (error 10268)."""


def of_today() -> Build:
    """Errors carry a time, and what a cancel says beside its id is an object."""
    from ibapi.order_cancel import OrderCancel  # type: ignore[import-not-found]

    return Build("commissionAndFeesReport", "commissionAndFees", 2, (OrderCancel(),), ())


BUILD: Final = (
    of_today()
    if "orderCancel" in inspect.signature(EClient.cancelOrder).parameters
    else Build("commissionReport", "commission", 1, (), ("eTradeOnly", "firmQuoteOnly"))
)


class Failed(Exception):
    """A verb cannot answer; the sentence says why."""


class Complaints(logging.Handler):
    """What the client says against us by itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sentences: list[str] = []
        logging.getLogger("ibapi").addHandler(self)
        logging.getLogger("ibapi").propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of its log, with the exception that it is about."""
        reason = record.exc_info[1] if record.exc_info else None
        self.sentences.append(record.getMessage() + (f": {reason!r}" if reason else ""))

    def check(self) -> None:
        """Raises `Failed` with all of them, once."""
        sentences, self.sentences = self.sentences, []
        if sentences:
            raise Failed("the client complains: " + " | ".join(sentences)[:2000])


class Listener(EWrapper, EClient):  # type: ignore[misc]
    """Keeps what every callback was called with, by its name and its first argument if an id."""

    def __init__(self, complaints: Complaints) -> None:
        EClient.__init__(self, self)
        self.complaints = complaints
        self.heard: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self.commissions: dict[str, Any] = {}
        self.executed: dict[int, dict[str, Any]] = defaultdict(dict)
        """By order id, by execution id."""
        self.news = threading.Condition()

    def said(self, name: str, key: int = 0) -> list[Any]:
        """The arguments, in order; without an id if it was heard under one."""
        return self.heard.get((name, key), [])

    def run(self) -> None:
        """The client's own loop, which ends when the connection does; it must not die of us."""
        try:
            EClient.run(self)
        except Exception as error:
            self.complaints.sentences.append(f"its loop died of {error!r}")
        self.note("loop ended")

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something heard makes this true. Raises `Failed` with what was heard."""
        with self.news:
            self.news.wait_for(lambda: holds() or self.is_over(), WAIT_SECONDS_MAX)
            if found := holds():
                return found
        self.complaints.check()
        if self.said("loop ended"):
            raise Failed("the connection was lost")
        last = [f"{name} {key} {rows[-1]}" for (name, key), rows in list(self.heard.items())]
        raise Failed(f"waited {WAIT_SECONDS_MAX} s; the last of each kind heard: {last}"[-2000:])

    def is_over(self) -> bool:
        """Whether nothing more is to be awaited."""
        return bool(self.complaints.sentences or self.said("loop ended"))

    def error(self, *arguments: Any) -> None:
        """Both builds' signatures; the client itself calls it without the last arguments."""
        code, text = arguments[BUILD.error_code : BUILD.error_code + 2]
        if code in CLIENT_CODES:
            self.complaints.sentences.append(f"{code} {text}")
        self.note("error", arguments[0], code, text)

    def execDetails(self, request_id: int, contract: Any, execution: Any) -> None:  # noqa: N802
        """Told when it happens with request id -1, or asked for."""
        self.executed[execution.orderId][execution.execId] = execution
        self.note("execDetails", request_id, contract, execution)

    def note_commission(self, report: Any) -> None:
        """Under either build's name."""
        self.commissions[report.execId] = report
        self.note("commission")

    def note(self, name: str, key: int = 0, *arguments: Any) -> None:
        """Keep it, and wake who waits."""
        with self.news:
            self.heard[name, key].append(arguments)
            self.news.notify_all()


WITH_ID: Final = (
    "contractDetails contractDetailsEnd historicalData historicalDataEnd historicalDataUpdate "
    "realtimeBar openOrder orderStatus execDetailsEnd tickPrice tickSnapshotEnd"
)
WITHOUT_ID: Final = (
    "nextValidId managedAccounts updateAccountValue accountDownloadEnd position positionEnd "
    "openOrderEnd completedOrder completedOrdersEnd currentTime"
)


def noting(name: str, *, has_id: bool) -> Callable[..., None]:
    """A callback that keeps its arguments."""

    def callback(self: Listener, *arguments: Any) -> None:
        self.note(name, *(arguments if has_id else (0, *arguments)))

    return callback


for _names, _has_id in ((WITH_ID, True), (WITHOUT_ID, False)):
    for _name in _names.split():
        setattr(Listener, _name, noting(_name, has_id=_has_id))
setattr(Listener, BUILD.commission_report, Listener.note_commission)
