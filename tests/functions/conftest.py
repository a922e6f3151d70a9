"""Bars to decide on, generated and recorded, and the `Market` that a run would send at a bar."""

import csv
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import pytest
from google.pubsub_v1.types import PublishRequest, PublishResponse

from functions import cloud
from functions.history import bar_end
from schemas.messages import Bars, Market, Scalar
from schemas.values import Contract

NEW_YORK = ZoneInfo("America/New_York")
CON_IDS = {"SPY": 756733, "VIXY": 419275110}


@dataclass(frozen=True)
class History:
    """Long series of bars, to cut windows from."""

    bars: tuple[Bars, ...]
    capital: Decimal = Decimal(100_000)
    currency: str = "USD"
    parameters: Mapping[str, Scalar] = field(default_factory=dict)

    def market(self, strategy: str, as_of: datetime, count: int) -> Market:
        """What the gateway would send then: each contract's last `count` finished bars."""
        return Market(
            run_id="run-1",
            strategy=strategy,
            as_of=as_of,
            valid_until=as_of + timedelta(hours=1),
            capital=self.capital,
            base_currency=self.currency,
            bars=tuple(window(bars, as_of, count) for bars in self.bars),
            parameters=self.parameters,
        )

    def ends(self) -> list[datetime]:
        """The end of every bar of the first contract."""
        return [bar_end(start, self.bars[0].size) for start in self.bars[0].time]

    def until(self, as_of: datetime) -> "History":
        """The same history with everything after `as_of` cut off."""
        return History(tuple(window(bars, as_of, len(bars.time)) for bars in self.bars))


def window(bars: Bars, as_of: datetime, count: int) -> Bars:
    finished = sum(bar_end(start, bars.size) <= as_of for start in bars.time)
    part = slice(max(0, finished - count), finished)
    columns = (bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume)
    t, o, h, low, c, v = (column[part] for column in columns)
    return Bars(bars.contract, bars.size, t, o, h, low, c, v)  # type: ignore[arg-type]


def walk(contract: Contract, size: str, times: Sequence[datetime], seed: int) -> Bars:
    """A random walk that trends now and then, so that averages cross."""
    rng = random.Random(seed)
    price, drift = 480.0 if contract.symbol == "SPY" else 15.0, 0.0
    rows = []
    for moment in times:
        drift = 0.9 * drift + rng.gauss(0, 0.0008)
        close = round(price * (1 + drift + rng.gauss(0, 0.002)), 2)
        high, low = round(max(price, close) + 0.05, 2), round(min(price, close) - 0.05, 2)
        rows.append((moment, price, high, low, close, float(rng.randrange(10_000))))
        price = close
    return Bars(contract, size, *zip(*rows, strict=True))


def weekdays(count: int) -> Iterator[date]:
    day = date(2025, 1, 6)
    while count:
        if day.weekday() < 5:
            yield day
            count -= 1
        day += timedelta(days=1)


def opening(day: date) -> datetime:
    return datetime.combine(day, time(9, 30), NEW_YORK).astimezone(UTC)


@pytest.fixture(scope="session")
def half_hours() -> History:
    """SPY over 20 sessions of 13 generated 30-minute bars."""
    half_hour = timedelta(minutes=30)
    times = [opening(day) + n * half_hour for day in weekdays(20) for n in range(13)]
    return History((walk(Contract("SPY", con_id=CON_IDS["SPY"]), "30 mins", times, 7),))


@pytest.fixture(scope="session")
def days() -> History:
    """SPY and VIXY over 260 generated sessions."""
    times = [opening(day) for day in weekdays(260)]
    contracts = [Contract(symbol, con_id=con_id) for symbol, con_id in CON_IDS.items()]
    return History(tuple(walk(contract, "1 day", times, 7) for contract in contracts))


def read(path: Path, size: str) -> Bars:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [tuple(float(row[name]) for row in rows) for name in list(rows[0])[1:]]
    times = tuple(moment(row["time"]) for row in rows)
    symbol = path.name.partition("_")[0]
    return Bars(Contract(symbol, con_id=CON_IDS[symbol]), size, times, *columns)


def moment(text: str) -> datetime:
    """A time with a zone as it is; a plain date is the opening of its New York session."""
    if "T" in text:
        return datetime.fromisoformat(text).astimezone(UTC)
    return opening(date.fromisoformat(text))


@pytest.fixture(scope="session")
def recorded_half_hours(shared_data: Path) -> History:
    """SPY's real 30-minute bars of 2025, early closes and holidays included."""
    return History((read(shared_data / "SPY_30min_2025.csv", "30 mins"),))


@pytest.fixture(scope="session")
def recorded_days(shared_data: Path) -> History:
    """SPY's and VIXY's real daily bars of 2022 and 2023."""
    names = ("SPY_1day_2022-2023.csv", "VIXY_1day_2022-2023.csv")
    return History(tuple(read(shared_data / name, "1 day") for name in names))


@pytest.fixture(params=["generated", "recorded"])
def history(request: pytest.FixtureRequest) -> Callable[[str], History]:
    """The history for bars of a size; every test that asks runs on generated and recorded ones."""
    prefix = "recorded_" if request.param == "recorded" else ""

    def of(size: str) -> History:
        name = "half_hours" if size == "30 mins" else "days"
        found: History = request.getfixturevalue(prefix + name)
        return found

    return of


class PublisherService(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """The Publish call of Pub/Sub and no more: a real server for the real client, in this process.

    `failures` are gRPC statuses to answer first, one for each call.
    """

    def __init__(self) -> None:
        self.requests: list[PublishRequest] = []
        self.failures: list[grpc.StatusCode] = []

    def service(self, details: Any) -> Any:
        assert details.method == "/google.pubsub.v1.Publisher/Publish"
        return grpc.unary_unary_rpc_method_handler(
            self.publish, PublishRequest.deserialize, PublishResponse.serialize
        )

    def publish(self, request: PublishRequest, context: Any) -> PublishResponse:
        if self.failures:
            context.abort(self.failures.pop(0), "as told")
        self.requests.append(request)
        return PublishResponse(message_ids=[str(n) for n, _ in enumerate(request.messages)])


@pytest.fixture
def pubsub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PublisherService]:
    """A Pub/Sub that takes what is published; the environment says where, and mode paper."""
    service = PublisherService()
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{port}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo-project")
    monkeypatch.setenv("MODE", "paper")
    cloud.client.cache_clear()
    yield service
    cloud.client().stop()
    cloud.client.cache_clear()
    server.stop(grace=None).wait()
