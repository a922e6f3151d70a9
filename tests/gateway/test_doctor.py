"""The doctor over a real gateway, a real session with the simulator, and the embedded stack."""

import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import doctor
from gateway.config import Config, session_settings
from gateway.core.finding import CHECK_CHARACTERS, Finding, State, exit_code
from gateway.doctor import Doctor
from gateway.ports import Catalogue, Document, Put, QueryStore
from gateway.session import Session
from infra.local.bus import EmbeddedBus
from infra.local.rig import CLIENT_ID, MODE, Rig, rigged
from infra.topology import topology
from schemas import codec
from schemas.documents import LatchesDocument, LeaseDocument, Lock
from schemas.settings import ControlDocument, StrategyDocument
from schemas.values import Mode, TradingState
from tests.no_credentials import without_credentials

TOPICS = len(topology(MODE, {}).topics)
SUBSCRIPTIONS = len(topology(MODE, {}).subscriptions) + 2
"""Those of no strategy's, and those of alpha and beta."""
CONFIG = Config(MODE, "bench", "doctor", ib_client_id=CLIENT_ID)


async def examined(rig: Rig, config: Config | None = None, **doors: Any) -> dict[str, Finding]:
    """All findings by the name of their check."""
    config = config or replace(CONFIG, ib_port=rig.simulator.port)
    store: QueryStore = doors.get("store", rig.store)
    bus: Catalogue = doors.get("bus", rig.bus)
    found = await Doctor(config, store, bus, rig.simulator.clock).look()
    assert len({finding.check for finding in found}) == len(found)
    assert max(len(finding.check) for finding in found) <= CHECK_CHARACTERS
    return {finding.check: finding for finding in found}


def states(found: Mapping[str, Finding], state: State) -> list[str]:
    return [check for check, finding in found.items() if finding.state is state]


async def put(rig: Rig, path: str, document: Document) -> None:
    await rig.store.commit([Put(path, document)])


async def test_where_all_is_well_nothing_fails_and_each_line_says_what_is_there(
    active: Rig,
) -> None:
    found = await examined(active)
    assert exit_code(found.values()) == 0
    assert states(found, State.FAIL) == []
    assert states(found, State.WARN) == ["guard"]
    assert states(found, State.SKIP) == ["master client", "dead letters"]
    assert found["lease"].sentence.startswith("gateway-1 (epoch 1) renewed its lease ")
    assert found["trading"].sentence == "trading is active, by test."
    assert found["configuration"].sentence == "it is valid; enabled: alpha, beta, manual."
    assert found["account"].sentence == "DU…01 is a paper account."
    assert found["ib api"].sentence == "the API answers client id 3, protocol version 178."
    assert found["ib clock"].sentence == "IB's clock is 0.0 s ahead of ours."
    assert found["market data"].sentence.startswith("live: SPY bid ")
    assert found["topics"].sentence == (
        f"all {TOPICS} topics and {SUBSCRIPTIONS} subscriptions exist."
    )
    assert "1 is the commander's, whose lease is live (so it was not tried)" in (
        found["client ids"].sentence
    )


async def test_looking_changes_no_document_and_disturbs_no_session(active: Rig) -> None:
    collections = ("activity", "config", "control", "latches", "positions", "runs", "strategies")

    async def documents() -> list[Mapping[str, Document]]:
        return [await active.store.list(one) for one in collections]

    before = await documents()
    await examined(active)
    await active.settled()
    assert await documents() == before
    assert active.chief is not None
    assert active.chief.floor.doors.session.connected


async def test_the_first_look_at_a_project_nobody_has_used_fails_with_what_to_start() -> None:
    async with rigged(strategies={}) as rig:
        found = await examined(rig)
    assert states(found, State.FAIL) == ["lease"]
    assert found["lease"].sentence == "no gateway has ever held the lease."
    assert found["trading"].sentence == "trading is halted, by nobody named."
    assert found["reconcile"].sentence == "the account was never read into Firestore."
    assert found["client ids"].sentence == "1, the commander's, is free; 3 was free for us."


@pytest.mark.ib_async_errors_expected("the line breaks")
async def test_a_broker_that_is_away_is_said_once_and_the_rest_is_looked_at(active: Rig) -> None:
    config = replace(CONFIG, ib_port=active.simulator.port)
    await active.break_line()
    found = await examined(active, config)
    assert found["ib port"].state is State.FAIL
    assert "nothing can be reached at 127.0.0.1:" in found["ib port"].sentence
    assert "start the IB Gateway" in found["ib port"].next_step
    not_asked = "not asked: the IB Gateway cannot be reached."
    assert found["account"] == Finding("account", State.SKIP, not_asked)
    assert states(found, State.FAIL) == ["ib port"]
    assert found["orders"].state is State.OK
    assert "master client" in found


@pytest.mark.ib_async_errors_expected("nobody answers")
async def test_a_gateway_that_listens_and_never_answers_is_told_to_be_logged_in(
    active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    active.simulator.faults.half_dead_gateway()
    found = await examined_impatiently(active, monkeypatch)
    assert found["ib api"].state is State.FAIL
    assert "the gateway did not answer in" in found["ib api"].sentence
    assert "second factor" in found["ib api"].next_step
    assert states(found, State.FAIL) == ["ib api"]


async def examined_impatiently(rig: Rig, patch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """The same, with a second of patience for a connection."""

    def impatient(config: Config, client_id: int) -> Any:
        return replace(session_settings(config, client_id), connect_timeout_seconds=1.0)

    patch.setattr(doctor, "session_settings", impatient)
    return await examined(rig)


async def test_the_other_modes_account_is_refused_and_nothing_more_is_asked(active: Rig) -> None:
    config = Config(
        Mode.LIVE,
        "bench",
        "doctor",
        ib_port=active.simulator.port,
        live_trading_accepted="U1234567",
    )
    found = await examined(active, config)
    assert found["account"].state is State.FAIL
    assert found["account"].sentence == (
        "the account is DU…01, and live accounts start with U or F."
    )
    assert found["account"].next_step == "log in to the other account, or set MODE"
    assert found["market data"].state is State.SKIP


async def test_documents_of_another_account_are_told(active: Rig) -> None:
    path = f"positions/{MODE}"
    known = await active.store.get(path) or {}
    await put(active, path, {**known, "account": "DU9999999"})
    found = await examined(active)
    assert found["account"].state is State.FAIL
    assert found["account"].sentence == (
        "the login is account DU…01, but the documents are of another, DU…99."
    )


async def test_a_halt_is_a_warning_that_names_who_and_how_to_go_on(active: Rig) -> None:
    halted = ControlDocument(TradingState.HALTED, "ann", "a doubt", active.now)
    await active.put(halted, mode=MODE)
    found = await examined(active)
    assert found["trading"].state is State.WARN
    assert found["trading"].sentence == "trading is halted, by ann: a doubt."
    assert '"command": "resume"' in found["trading"].next_step
    assert exit_code(found.values()) == 0


async def test_a_control_that_cannot_be_read_counts_as_halted(active: Rig) -> None:
    await put(active, f"control/{MODE}", {"state": "actve"})
    found = await examined(active)
    assert found["trading"].sentence.startswith("trading is halted, by gateway: control/paper: ")
    assert found["configuration"].state is State.FAIL
    assert "control/paper: " in found["configuration"].sentence


async def stale_lease(rig: Rig) -> None:
    """As if the gateway had hung for five minutes."""
    past = datetime.now(UTC) - timedelta(minutes=5)
    lease = LeaseDocument("hung", 7, past, past + timedelta(seconds=30))
    await rig.put(lease, mode=MODE)


async def test_a_stale_heartbeat_fails_and_says_since_when() -> None:
    """[R3]"""
    async with rigged() as rig:
        await stale_lease(rig)
        found = await examined(rig)
    assert found["lease"].state is State.FAIL
    assert found["lease"].sentence == (
        "hung (epoch 7) renewed its lease 5 min ago and it ran out: its heartbeat is stale, none "
        "acts."
    )
    assert found["client ids"].state is State.OK


@pytest.mark.ib_async_errors_expected("the id is taken")
async def test_the_commanders_id_in_other_hands_fails_while_no_lease_is_live() -> None:
    """[R3] Error 326: a paused gateway keeps its socket, and the next one could not connect."""
    async with rigged() as rig:
        await stale_lease(rig)
        config = replace(CONFIG, ib_port=rig.simulator.port)
        other = Session(
            session_settings(config, CLIENT_ID), rig.simulator.clock.now, lambda _event: None
        )
        await other.connect()
        found = await examined(rig)
        assert other.connected
        await other.close()
    assert found["client ids"].state is State.FAIL
    assert "1, the commander's, is taken (326), and no commander holds the lease" in (
        found["client ids"].sentence
    )


@pytest.mark.ib_async_errors_expected("the id is taken")
async def test_the_doctors_own_id_in_other_hands_is_told_with_its_variable(active: Rig) -> None:
    config = replace(CONFIG, ib_port=active.simulator.port)
    other = Session(session_settings(config, 3), active.simulator.clock.now, lambda _event: None)
    await other.connect()
    found = await examined(active)
    await other.close()
    assert found["ib api"].sentence.startswith("client id 3 is taken by another program (326)")
    assert "IB_DOCTOR_CLIENT_ID" in found["ib api"].next_step


@pytest.mark.ib_async_errors_expected("the id is taken")
async def test_a_guard_that_is_connected_is_seen_by_its_id(active: Rig) -> None:
    """[R4]"""
    config = replace(CONFIG, ib_port=active.simulator.port)
    guard = Session(session_settings(config, 2), active.simulator.clock.now, lambda _event: None)
    await guard.connect()
    found = await examined(active)
    assert guard.connected
    await guard.close()
    assert found["guard"] == Finding("guard", State.OK, "client id 2, the guard's, is in use.")


async def test_a_missing_topic_and_a_missing_subscription_are_named(active: Rig) -> None:
    whole = topology(MODE, {})
    topics = tuple(name for name in whole.topics if name != "market-paper")
    without = replace(whole, topics=topics)
    bus = EmbeddedBus(":memory:", without)
    try:
        found = await examined(active, bus=bus)
    finally:
        await bus.close()
    assert found["topics"].state is State.FAIL
    assert found["topics"].sentence == (
        "topic market-paper is missing; subscription market-alpha-paper is missing; "
        "subscription market-beta-paper is missing."
    )


async def test_a_wrong_document_is_told_with_its_field_and_the_rest_is_looked_at(
    active: Rig,
) -> None:
    await put(active, f"config/{MODE}", {"order_notional_max": "lots"})
    await active.put(StrategyDocument(enabled=True), strategy="gamma")
    found = await examined(active)
    assert found["configuration"].state is State.FAIL
    assert "config/paper: order_notional_max" in found["configuration"].sentence
    assert "strategies/gamma has no weight" in found["configuration"].sentence
    assert found["market data"].state is State.OK


async def test_a_locked_contract_fails_with_the_line_that_settles_it(active: Rig) -> None:
    """[B3]"""
    lock = Lock("SPY", "unexplained", "+50 SPY at the broker; say adopt", active.now)
    await active.put(LatchesDocument(locks={"756733": lock}), mode=MODE)
    found = await examined(active)
    assert found["locks"].sentence == (
        "SPY (756733) is locked, unexplained: +50 SPY at the broker; say adopt."
    )
    assert '"command": "adopt", "symbol": "SPY"' in found["locks"].next_step


async def test_what_the_books_do_not_explain_is_seen_at_the_broker_itself() -> None:
    """[B3] With the gateway away nobody books a manual trade; the doctor asks IB."""
    async with rigged() as rig:
        await rig.start()
        await rig.stop()
        await rig.simulator.trade_by_hand("SPY", Decimal(7))
        found = await examined(rig)
    assert found["law"].state is State.FAIL
    assert found["law"].sentence == (
        "SPY: the broker has +7, books and EXTERNAL +0, UNEXPLAINED +7 (by IB's positions of now)."
    )
    assert found["lease"].sentence.startswith("the last gateway gave the lease back ")


async def test_a_foreign_trade_that_was_booked_proves_the_master_client(active: Rig) -> None:
    """[B2] The API does not tell the setting: only a master client hears of others' trades."""
    await active.simulator.trade_by_hand("SPY", Decimal(7))

    async def is_booked() -> bool:
        return bool(await active.book("EXTERNAL"))

    await active.until("EXTERNAL has what was bought by hand", is_booked)
    found = await examined(active)
    assert found["master client"].state is State.OK
    assert "client id 1 was IB's master client on 2026-02-27" in found["master client"].sentence


async def test_a_store_that_fails_is_told_and_the_broker_is_asked_all_the_same(
    active: Rig,
) -> None:
    class Away:
        """A store behind a network that is down."""

        def __getattr__(self, _name: str) -> Any:
            raise ConnectionError("no route to Firestore")

    found = await examined(active, store=Away())
    assert found["firestore"].state is State.FAIL
    assert found["firestore"].sentence == "no route to Firestore."
    assert found["documents"].state is State.SKIP
    assert found["market data"].state is State.OK
    assert found["law"].state is State.SKIP
    assert "whose lease could not be read (so it was not tried)" in found["client ids"].sentence


def run(patch: pytest.MonkeyPatch, environment: Mapping[str, str], arguments: Sequence[str]) -> int:
    """The command in this process, with this environment and none of ours."""
    for name in ("MODE", "GOOGLE_CLOUD_PROJECT", "FIRESTORE_EMULATOR_HOST", "IB_PORT"):
        patch.delenv(name, raising=False)
    for name, value in environment.items():
        patch.setenv(name, value)
    return doctor.main(arguments)


def test_an_environment_that_makes_no_gateway_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, {"MODE": "papr"}, []) == 2
    told = capsys.readouterr().out.splitlines()
    assert told[0] == (
        "FAIL  environment     MODE must be paper or live, not 'papr'. "
        "Next: set the variable: gateway/config.py lists them all"
    )
    assert told[1] == "1 checks: 1 FAIL"


def test_without_google_credentials_a_sentence_says_how_to_get_some(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    assert run(monkeypatch, without_credentials(tmp_path), ["--json", "--without-ib"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 1
    google = told["findings"][-1]
    assert google["check"] == "google"
    assert google["sentence"].startswith("there are no Google credentials here; run `gcloud auth")


PAGE = (Path(__file__).parents[2] / "docs/how-to/a-bad-day.md").read_text(encoding="utf-8")


async def test_every_check_that_the_page_for_a_bad_day_shows_is_one_of_the_doctors(
    active: Rig,
) -> None:
    shown = set(re.findall(r"^(?:ok|WARN|FAIL|skip) {2,4}([a-z ]+?) {2,}", PAGE, re.MULTILINE))
    assert {"lease", "ib api", "account", "locks", "law", "trading"} <= shown
    assert shown <= {"environment", *await examined(active)}


def test_every_command_that_the_page_for_a_bad_day_shows_can_be_said_as_it_stands() -> None:
    messages = re.findall(r"publish commands-paper --message='(.*?)'", PAGE)
    assert len(messages) >= 3
    for message in messages:
        codec.decode_command(message.encode())
    for module in re.findall(r"python -m (gateway\.\w+)", PAGE):
        assert importlib.util.find_spec(module) is not None
