"""Nothing that the official client can ask of an order is dropped without a word.

Each attribute of its Order and Contract alone, as its own encoder writes it, goes to the broker:
the order is refused, or its own decoder hears the attribute in the openOrder that answers, as it
was asked for. What is neither is in a list, of which each line has a reason.
"""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bar_files import FIVE_SECONDS
from gateway.simulator.market.bars import BarBook
from gateway.simulator.replies import Notice, OpenOrder
from gateway.simulator.wire.messages import decode_request, encode_reply
from infra.clients import market
from infra.clients.script import NOW_EPOCH, SYMBOL

HERE = Path(__file__).parent
SPOKEN = [("ibapi", 157), ("ibapi-latest", 178)]
NOW = datetime.fromtimestamp(NOW_EPOCH, UTC)
WITHOUT_BEARING = {
    "strike": "of options; the contract is a stock",
    "right": "of options; the contract is a stock",
    "secIdType": "says nothing without secId, which is refused",
    "openClose": "a mark for institutions",
    "overridePercentageConstraints": "of precautions that TWS has and the simulator has not",
    "advancedErrorOverride": "of refusals that the simulator does not make",
    "algoId": "of algorithms, which are refused",
    "extOperator": "names a person",
    "manualOrderTime": "says when a person decided",
    "mifid2DecisionMaker": "names a person",
    "mifid2DecisionAlgo": "names a program",
    "mifid2ExecutionTrader": "names a person",
    "mifid2ExecutionAlgo": "names a program",
}
"""Attributes that are taken and not echoed, and why an order trades no other way for them."""
WITH_OTHERS = {"whatIf": {"whatIf", "permId"}}
"""A question about an order has no permanent id."""


def run(python: Path, program: str, version: int, said: str = "") -> Any:
    done = subprocess.run(
        [python, HERE / program, str(version)],
        input=said, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def answers(fields: list[str], version: int) -> list[Any]:
    """What a new broker says to an order."""
    exchange = Exchange(BarBook({(SYMBOL, FIVE_SECONDS): market.rows()}))
    exchange.connect(1, NOW)
    request = decode_request(tuple(fields), version)
    return [reply for _, reply in exchange.handle(1, request, NOW)]


@pytest.mark.parametrize(("client", "version"), SPOKEN, ids=str)
def test_each_attribute_of_an_order_is_refused_or_echoed_as_it_was_asked_for(
    client: str, version: int, python_of: Callable[[str], Path]
) -> None:
    python = python_of(client)
    sent = run(python, "perturb_ibapi.py", version)["sent"]["plain"]
    told = {
        name: answers(fields, version)
        for name, fields in sent.items()
        if not name or fields != sent[""]
    }
    opened = {
        name: encode_reply(reply, version)
        for name, replies in told.items()
        for reply in replies[:1]
        if isinstance(reply, OpenOrder)
    }
    refused = {
        name
        for name, replies in told.items()
        if name not in opened and any(isinstance(one, Notice) for one in replies)
    }
    heard = run(python, "hear_ibapi.py", version, json.dumps(list(opened.values())))
    orders = {name: one["order"] for name, one in zip(opened, heard, strict=True)}
    plain = orders.pop("")
    echoed = {
        name
        for name, order in orders.items()
        if {key for key in plain if order[key] != plain[key]} == WITH_OTHERS.get(name, {name})
    }
    held = {"transmit"}  # nothing is said of an order that waits to be transmitted
    assert set(told) - {""} - refused - echoed - held == set(WITHOUT_BEARING) & set(told)
    assert (len(echoed) > 30, len(refused) > 20) == (True, True)
