"""Orders held against the official client's own encoder and decoder, each attribute alone.

By the build of 2020 at 157, and by the newest one at every version that changed an order: what a
gateway says is min(client, server), so it must be right at each. The same as
tests/gateway/simulator/wire/test_{order_messages,echoed_orders}.py do with ib_async, which reads
IB's documents as we do; the official client is IB's own reading.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.wire.fields import FieldReader
from gateway.simulator.wire.order_layouts import (
    COMPLETED_ORDER,
    OPEN_ORDER,
    PLACE_ORDER,
    Table,
    Values,
)

WRITING = Path(__file__).with_name("perturb_ibapi.py")
READING = Path(__file__).with_name("hear_ibapi.py")
TABLES = {"5": OPEN_ORDER, "101": COMPLETED_ORDER}
TEXTS = {"bool": "1", "int": "7", "float": "7.5", "str": "seven"}
SPOKEN = [
    ("ibapi", 157),
    *(("ibapi-latest", version) for version in (157, 160, 163, 164, 166, 169, 170, 176, 177, 178)),
]
PLAIN_FIELDS = {157: 110, 160: 112, 163: 113, 164: 113, 166: 114, 169: 115, 177: 114, 178: 114}
"""Of placeOrder; 177 took faProfile away."""


BLOCKS: list[Values] = [
    {"hedgeType": "D", "hedgeParam": "1"},
    {"algoStrategy": "Vwap", "algoParams": (("a", "1"), ("b", "2"))},
    {"deltaNeutral": "1", "deltaNeutralDelta": "0.5"},
    {"scalePriceIncrement": "0.1"},
    {"orderType": "PEG BENCH"},
    {"comboLegs": (("7", "1", "BUY", "SMART", "0", "0", "", "-1"),), "smartRouting": (("t", "v"),)},
    {"orderComboLegs": (("1.5",),)},
    {"conditions": (("1", "o", "1", "5.5", "7", "SMART", "2"), ("3", "a", "1", "20251212"))},
    {"conditions": (("4", "a", "1", "30"), ("5", "o", "STK", "SMART", "SPY"))},
    {"conditions": (("6", "a", "1", "9", "7", "SMART"), ("7", "o", "0", "1.5", "7", "SMART"))},
]


def words(text: str) -> set[str]:
    return set(text.split())


NEVER_SENT = words(
    "orderId clientId permId filledQuantity autoCancelDate parentPermId refFuturesConId "
    "shareholder imbalanceOnly routeMarketableToBbo basisPoints basisPointsType "
    "includeExpired comboLegsDescrip"
)
"""Attributes that exist only in answers or in other requests."""
SINCE = {
    "duration": 158, "postToAts": 160, "autoCancelParent": 162, "advancedErrorOverride": 166,
    "manualOrderTime": 169, "minTradeQty": 170, "minCompeteSize": 170,
    "competeAgainstBestOffset": 170, "midOffsetAtWhole": 170, "midOffsetAtHalf": 170,
}  # fmt: skip
LATER = words(
    "allowPreOpen bondAccruedInterest conditionsIncludeOvernight customerAccount deactivate "
    "description hedgeMaxSize ignoreOpenAuction includeOvernight issuerId lastTradeDate "
    "manualOrderIndicator postOnly professionalCustomer ptOrderId ptOrderType slOrderId "
    "slOrderType submitter whatIfType"
)
"""Attributes of server versions above 178, which the client leaves out or refuses to send."""
OPENING = words(
    "deltaNeutralOrderType scalePriceIncrement hedgeType algoStrategy orderType exchange "
    "competeAgainstBestOffset"
)
"""Attributes that open or close a block, which brings or takes its other attributes with it."""
RENAMED = {"lastTradeDateOrContractMonth": "lastTradeDate"}


@dataclass(frozen=True)
class Official:
    """A build of the official client that believes in one server version."""

    python: Path
    version: int

    def run(self, program: Path, said: str = "") -> Any:
        run = subprocess.run(
            [self.python, program, str(self.version)],
            input=said, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr[-3000:]
        return json.loads(run.stdout)

    def orders(self, messages: list[list[str]]) -> list[dict[str, Any]]:
        """The attributes of each order, which the client read to its last field."""
        answers = self.run(READING, json.dumps(messages))
        odd = [(one["left"], one["complaints"]) for one in answers]
        assert odd == [(0, [])] * len(messages)
        return [answer["order"] for answer in answers]

    def understood(self, fields: list[str]) -> Values:
        reader = FieldReader(tuple(fields[1:]), self.version)
        values = PLACE_ORDER.read(reader)
        assert reader.remaining == 0
        return values

    def written(self, table: Table) -> set[str]:
        """The attributes that a plain message of ours has."""
        fields = tuple(table.write({}, self.version))
        probe = table.read(FieldReader(fields, self.version))
        return set(probe) - {"scalePriceIncrement", "hedgeType", "_openClose"}


@pytest.fixture(params=SPOKEN, ids=lambda spoken: f"{spoken[0]}-{spoken[1]}", scope="module")
def official(request: pytest.FixtureRequest, python_of: Callable[[str], Path]) -> Official:
    name, version = request.param
    return Official(python_of(name), version)


@pytest.fixture(scope="module")
def answer(official: Official) -> Any:
    """`sent` has each attribute, and the fields of placeOrder when it alone is changed."""
    return official.run(WRITING)


def test_a_plain_order_of_the_official_client_has_its_fields(
    official: Official, answer: Any
) -> None:
    earlier = max(version for version in PLAIN_FIELDS if version <= official.version)
    assert len(answer["sent"]["plain"][""]) == PLAIN_FIELDS[earlier]


def test_each_attribute_of_the_official_client_is_understood_under_its_own_name(
    official: Official, answer: Any
) -> None:
    moved: dict[str, set[str]] = {}
    wrong = {}
    for kind, sent in answer["sent"].items():
        plain = official.understood(sent.pop(""))
        for name, fields in sent.items():
            values = official.understood(fields)
            keys = {key for key in plain | values if values.get(key) != plain.get(key)}
            moved[name] = moved.get(name, set()) | keys
            alone = len(keys) == 1 or name in OPENING
            if keys and (RENAMED.get(name, name) not in keys or not alone):
                wrong[kind, name] = keys
    assert wrong == {}
    later = LATER | {name for name, since in SINCE.items() if since > official.version}
    silent = {name for name, keys in moved.items() if not keys}
    assert silent == (NEVER_SENT | later) & set(moved)
    assert set(answer["refused"]) <= NEVER_SENT | later


@pytest.mark.parametrize("number", TABLES)
def test_the_official_client_reads_each_attribute_we_write_as_itself(
    number: str, official: Official
) -> None:
    table = TABLES[number]
    (plain,) = official.orders([[number, *table.write({}, official.version)]])
    names = sorted(official.written(table) & set(plain))
    texts = {name: TEXTS[type(plain[name]).__name__] for name in names}
    orders = official.orders(
        [[number, *table.write({name: texts[name]}, official.version)] for name in names]
    )
    wrong = {}
    for name, order in zip(names, orders, strict=True):
        moved = {key for key in plain if order.get(key) != plain[key]}
        if moved != {name}:
            wrong[name] = moved
    assert wrong == {}
    assert len(names) > 60


@pytest.mark.parametrize("number", TABLES)
def test_the_official_client_reads_orders_with_blocks_to_their_last_field(
    number: str, official: Official
) -> None:
    """And nothing behind a block takes its place: an attribute near the end is heard as itself."""
    table = TABLES[number]
    orders = official.orders(
        [
            [number, *table.write({**values, "cashQty": "7.5"}, official.version)]
            for values in BLOCKS
        ]
    )
    assert [order["cashQty"] for order in orders] == [7.5] * len(BLOCKS)
