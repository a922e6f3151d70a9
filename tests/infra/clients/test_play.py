"""A driver may fail in every way: the case says how, and the next case is played all the same."""

import sys
from pathlib import Path

import pytest

from infra.clients.environments import Client
from infra.clients.play import Driver, DriverGone, Outcome, driving, play
from infra.clients.script import CASES, CONNECT, DISCONNECT

BY_NAME = {case.name: case for case in CASES}
PROGRAM = """
import json, sys
ANSWERS = {
    "connect": {"accounts": ["DUSIM0001"], "next_order_id": 1},
    "disconnect": {"connected": False},
    "account": {"NetLiquidation": 1},
    "place": {},
    "what_if": {"initial_margin_before": 0},
}
for line in sys.stdin:
    asked = json.loads(line)
    verb = asked["verb"]
    if verb == "positions":
        print("the reason", file=sys.stderr)
        raise SystemExit(3)
    if verb == "contract_details":
        print("nonsense", flush=True)
    elif verb == "open_orders":
        continue
    elif verb in ANSWERS:
        print(json.dumps({"answer": ANSWERS[verb]}), flush=True)
    else:
        print(json.dumps({"error": "cannot " + verb}), flush=True)
"""


@pytest.fixture
def client(tmp_path: Path) -> Client:
    program = tmp_path / "driver.py"
    program.write_text(PROGRAM)
    return Client("failing", "a client that fails", str(program))


async def played(client: Client, *names: str) -> list[Outcome]:
    return await play(client, Path(sys.executable), [BY_NAME[name] for name in names])


async def test_every_case_has_its_outcome_in_the_order_of_the_cases(client: Client) -> None:
    names = ("positions", "contract_details", "snapshot", "account", "connect")
    outcomes = await played(client, *names)
    assert [one.case for one in outcomes] == list(names)
    ended, nonsense, refused, different, passed = (" ".join(one.wrong) for one in outcomes)
    assert ended == "positions: the driver ended; its last words: the reason"
    assert nonsense == (r"contract_details: b'nonsense\n' is neither an answer nor an error")
    assert refused == "snapshot: cannot snapshot"
    assert different.startswith("account: NetLiquidation is 1, not 1030000 account: TotalCashValue")
    assert passed == ""


async def test_after_a_step_that_went_wrong_only_disconnect_follows(client: Client) -> None:
    (outcome,) = await played(client, "cancel")
    assert outcome.wrong == ("order cancelled: cannot order",)


async def test_a_driver_that_hangs_is_given_up(client: Client) -> None:
    async with driving(client, Path(sys.executable), 1) as driver:
        await driver.ask(CONNECT.verb, CONNECT.arguments)
        with pytest.raises(DriverGone, match=r"no answer in 0\.1 s"):
            await driver.ask("open_orders", {}, patience=0.1)


async def test_a_driver_is_ended_with_its_use(client: Client) -> None:
    async with driving(client, Path(sys.executable), 1) as driver:
        assert await driver.ask(DISCONNECT.verb, {}) == {"connected": False}
    assert has_ended(driver)


def has_ended(driver: Driver) -> bool:
    return not Path(f"/proc/{driver.pid}").exists()
