"""Every reply held against the official client's own decoder, at every version that changed one.

A reply is written twice with other values: fields that differ are its contents, and the client must
hear each; it must read the message to its last field and complain of nothing. What counts is IB's
own reading: 9.81.1.post1 at 157 and the newest build up to 178.
"""

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest

from gateway.simulator import replies as r
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.wire.messages import encode_reply

DRIVER = Path(__file__).with_name("hear_ibapi.py")
SPOKEN = [
    ("ibapi", 157),
    *(("ibapi-latest", version) for version in (157, 163, 164, 166, 170, 176, 177, 178)),
]
REPLIES: tuple[Any, ...] = get_args(r.Reply)
JUNE = datetime(2025, 6, 1, 14, 30, tzinfo=UTC)
FIXED: dict[str, Any] = {"kind": 1, "attributes": 0, "security_type": "STK", "tick_type": 1}
"""Numbers that say what the rest of the message is, and switches that become attributes."""
UNHEARD = {"OpenOrder": {30}}
"""Contents that every client skips: sharesAllocation (ib.md 1.6)."""
UNKNOWN = {"ibapi": {"HistoricalSchedule"}}
"""Replies of later years, to requests that the build does not have."""


def values(type_: Any, numbers: Iterator[int]) -> Any:
    """A value of an annotated type, each number and text in it another."""
    number = next(numbers)
    if isinstance(type_, UnionType):
        return values(get_args(type_)[0], numbers)
    if get_args(type_) and get_args(type_)[-1] is Ellipsis:
        return (values(get_args(type_)[0], numbers), values(get_args(type_)[0], numbers))
    plain: dict[Any, Any] = {
        str: f"text{number}", int: number, bool: True, Decimal: Decimal(number),
        datetime: JUNE + timedelta(seconds=number),
    }  # fmt: skip
    if type_ in plain:
        return plain[type_]
    if type_ is OrderTerms:
        return OrderTerms(quantity=Decimal(number), limit_price=Decimal(next(numbers)))
    hints = get_type_hints(type_).items()
    return type_(**{name: FIXED.get(name, values(hint, numbers)) for name, hint in hints})


def hear(python: Path, version: int, messages: list[list[str]]) -> Any:
    run = subprocess.run(
        [python, DRIVER, str(version)],
        input=json.dumps(messages), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


def is_among(text: str, heard: list[Any]) -> bool:
    if text in heard:
        return True
    try:
        return float(text) in heard
    except ValueError:
        return False


@pytest.mark.parametrize(("client", "version"), SPOKEN, ids=str)
def test_the_official_client_hears_all_of_each_reply_and_reads_it_to_its_end(
    client: str, version: int, python_of: Callable[[str], Path]
) -> None:
    once, again = (
        {reply.__name__: encode_reply(values(reply, itertools.count(number)), version)
         for reply in REPLIES if reply.__name__ not in UNKNOWN.get(client, ())}
        for number in (1001, 5001)
    )  # fmt: skip
    answers = hear(python_of(client), version, list(once.values()))
    wrong = {}
    for name, told in zip(once, answers, strict=True):
        heard = [leaf for _, leaves in told["heard"] for leaf in leaves]
        unheard = [
            (place, text)
            for place, (text, other) in enumerate(zip(once[name], again[name], strict=True))
            if text != other and not is_among(text, heard) and place not in UNHEARD.get(name, ())
        ]
        if unheard or told["left"] or told["complaints"] or not told["heard"]:
            wrong[name] = (unheard, told)
    assert wrong == {}
