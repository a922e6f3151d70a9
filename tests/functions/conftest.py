"""Bars to decide on, generated and recorded, and a Pub/Sub that takes what is published."""

import csv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.pubsub_v1.types import PublishRequest, PublishResponse

from functions import cloud
from functions.history import DAY
from functions.registry import Strategy
from schemas.messages import Bars
from schemas.values import Contract
from tests.functions.histories import CON_IDS, History, generated, opening, walk, weekdays


@pytest.fixture(scope="session")
def made(remembered_histories: dict[str, History]) -> Callable[[Strategy], History]:
    """The generated history of a strategy, made once."""

    def of(strategy: Strategy) -> History:
        key = repr((strategy.UNIVERSE, strategy.BARS))
        if key not in remembered_histories:
            remembered_histories[key] = generated(strategy)
        return remembered_histories[key]

    return of


@pytest.fixture(scope="session")
def remembered_histories() -> dict[str, History]:
    return {}


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
def history(
    request: pytest.FixtureRequest, made: Callable[[Strategy], History]
) -> Callable[[Strategy], History]:
    """The history for a strategy; a test that asks runs on generated bars, and on recorded ones.

    Where nobody has recorded the strategy's contracts, it runs on generated ones alone.
    """
    if request.param == "generated":
        return made

    def recorded(strategy: Strategy) -> History:
        name = {"30 mins": "recorded_half_hours", DAY: "recorded_days"}.get(strategy.BARS.size)
        known = {"recorded_half_hours": {"SPY"}, "recorded_days": {"SPY", "VIXY"}}
        wanted = {contract.symbol for contract in strategy.UNIVERSE}
        if name is None or not wanted <= known[name]:
            pytest.skip(f"nobody has recorded {strategy.BARS.size} of {', '.join(sorted(wanted))}")
        found: History = request.getfixturevalue(name)
        return replace(found, bars=tuple(b for b in found.bars if b.contract.symbol in wanted))

    return recorded


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
