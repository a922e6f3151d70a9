"""Every request of the official client is understood as what it says, at every version.

All of its methods are called, not a list of ours: what a build of a later year can ask for is
either simulated or refused by its name, and never taken for garbage.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.requests import UnsupportedRequest
from gateway.simulator.wire.messages import decode_request

DRIVER = Path(__file__).with_name("ask_ibapi.py")
SPOKEN = [
    ("ibapi", 157),
    *(("ibapi-latest", version) for version in (157, 163, 169, 176, 177, 178)),
]
KINDS_MIN = 60
SIMULATED_MIN = 35


def asked(python: Path, version: int) -> dict[str, dict[str, Any]]:
    run = subprocess.run([python, DRIVER, str(version)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(run.stdout)
    return found


def plain(value: Any) -> Iterator[Any]:
    """All numbers and texts inside."""
    if is_dataclass(value):
        for field in fields(value):
            yield from plain(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from plain(item)
    else:
        yield float(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize(("client", "version"), SPOKEN, ids=str)
def test_each_request_of_the_official_client_is_understood(
    client: str, version: int, python_of: Callable[[str], Path]
) -> None:
    sent = asked(python_of(client), version)
    understood = {name: decode_request(tuple(one["fields"]), version) for name, one in sent.items()}
    simulated = {
        name: request
        for name, request in understood.items()
        if not isinstance(request, UnsupportedRequest)
    }
    lost = {
        name: missing
        for name, request in simulated.items()
        if (missing := set(sent[name]["said"]) - set(plain(request)) - {""})
    }
    assert lost == {}
    assert (len(understood) >= KINDS_MIN, len(simulated) >= SIMULATED_MIN) == (True, True)
