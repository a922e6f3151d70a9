"""Orders held against the official client's own encoder and decoder at 157, each attribute alone.

The same as tests/gateway/simulator/wire/test_{order_messages,echoed_orders}.py do with
ib_async, which reads IB's documents as we do; the official client is IB's own reading.
"""

import json
import subprocess
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

VERSION = 157
DRIVER = Path(__file__).with_name("perturb_ibapi.py")
TABLES = {"5": OPEN_ORDER, "101": COMPLETED_ORDER}
TEXTS = {"bool": "1", "int": "7", "float": "7.5", "str": "seven"}


def words(text: str) -> set[str]:
    return set(text.split())


NEVER_SENT = words(
    "orderId clientId permId filledQuantity autoCancelDate parentPermId refFuturesConId "
    "shareholder imbalanceOnly routeMarketableToBbo basisPoints basisPointsType autoCancelParent "
    "includeExpired comboLegsDescrip"
)
"""Attributes that exist only in answers or in other requests."""
SENT_IN_BLOCKS = words(
    "hedgeParam conditionsCancelOrder conditionsIgnoreRth deltaNeutralConId "
    "deltaNeutralSettlingFirm deltaNeutralClearingAccount deltaNeutralClearingIntent "
    "deltaNeutralOpenClose deltaNeutralShortSale deltaNeutralShortSaleSlot "
    "deltaNeutralDesignatedLocation scalePriceAdjustValue scalePriceAdjustInterval "
    "scaleProfitOffset scaleAutoReset scaleInitPosition scaleInitFillQty scaleRandomPercent "
    "referenceContractId isPeggedChangeAmountDecrease peggedChangeAmount referenceChangeAmount "
    "referenceExchangeId"
)
"""Attributes that a plain order leaves out."""
RENAMED = {"lastTradeDateOrContractMonth": "lastTradeDate"}


def ask(python: Path, messages: list[list[str]]) -> Any:
    run = subprocess.run(
        [python, DRIVER], input=json.dumps(messages), capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def sent(official_python: Path) -> dict[str, list[str]]:
    """Each attribute to the fields of placeOrder when it alone is changed."""
    made: dict[str, list[str]] = ask(official_python, [])["sent"]
    return made


def understood(fields: list[str]) -> Values:
    reader = FieldReader(tuple(fields[1:]), VERSION)
    values = PLACE_ORDER.read(reader)
    assert reader.remaining == 0
    return values


def test_a_plain_order_of_the_official_client_has_110_fields(sent: dict[str, list[str]]) -> None:
    assert len(sent[""]) == 110


def test_each_attribute_of_the_official_client_is_understood_under_its_own_name(
    sent: dict[str, list[str]],
) -> None:
    plain = understood(sent[""])
    moved = {
        name: {key for key, text in understood(fields).items() if text != plain.get(key)}
        for name, fields in sent.items()
        if name
    }
    silent = {name for name, keys in moved.items() if not keys}
    assert silent == (NEVER_SENT | SENT_IN_BLOCKS) & set(sent)
    # An opened block brings its other attributes with it.
    opening = {"deltaNeutralOrderType", "scalePriceIncrement", "hedgeType", "algoStrategy"}
    wrong = {
        name: keys
        for name, keys in moved.items()
        if (keys and RENAMED.get(name, name) not in keys) or (len(keys) > 1 and name not in opening)
    }
    assert wrong == {}


@pytest.mark.parametrize("number", TABLES)
def test_the_official_client_reads_each_attribute_we_write_as_itself(
    number: str, official_python: Path
) -> None:
    table = TABLES[number]
    plain = ask(official_python, [[number, *table.write({}, VERSION)]])["read"][0]
    names = sorted(written(table) & set(plain))
    messages = [
        [number, *table.write({name: TEXTS[type(plain[name]).__name__]}, VERSION)] for name in names
    ]
    orders = ask(official_python, messages)["read"]
    wrong = {}
    for name, order in zip(names, orders, strict=True):
        moved = {key for key in plain if order.get(key) != plain[key]}
        if moved != {name}:
            wrong[name] = moved
    assert wrong == {}
    assert len(names) > 60


def written(table: Table) -> set[str]:
    """The attributes that a plain message of ours has at 157."""
    probe = table.read(FieldReader(tuple(table.write({}, VERSION)), VERSION))
    return set(probe) - {"scalePriceIncrement", "hedgeType", "_openClose"}
