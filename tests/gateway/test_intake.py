"""From a delivery to the desk, or to the dead letters with a reason that a person can use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.clock import WallClock
from gateway.intake import Intake
from gateway.ports import Delivery, Put
from infra.local.rig import MODE, STRATEGIES, Rig
from schemas.documents import TargetsDocument
from schemas.settings import Settings
from schemas.values import Contract

SPY_TEN = [{"symbol": "SPY", "quantity": 10}]
WALL = datetime(2026, 2, 27, 12, tzinfo=UTC)


def nothing() -> None:
    """Neither ack nor nack matters where the intake is asked directly."""


async def stored(rig: Rig, strategy: str = "manual") -> TargetsDocument | None:
    return await rig.document(TargetsDocument, mode=MODE, strategy=strategy)


async def refused(rig: Rig, body: dict[str, Any] | bytes) -> str:
    """The reason with which a message went to the dead letters; the next good one goes through."""
    await rig.publish("targets", body)
    await rig.until("the dead letter is there", lambda: bool(rig.dead_letters))
    message_id = await rig.say("manual", VIXY=1)
    await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert said.message_id == message_id
    return rig.dead_letters[0].attributes["reason"]


async def test_targets_by_hand_need_a_strategy_and_quantities_only(rig: Rig) -> None:
    await rig.publish("targets", {"strategy": "manual", "targets": SPY_TEN})
    await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert [(t.con_id, t.symbol, t.quantity) for t in said.targets] == [
        (756733, "SPY", Decimal(10))
    ]
    assert (said.as_of, said.valid_until) == (rig.now, rig.now + timedelta(minutes=60))


async def test_a_message_that_comes_again_keeps_the_date_of_its_first_sight(rig: Rig) -> None:
    """[T2] under virtual time."""
    assert rig.chief is not None
    intake, first_sight = Intake(rig.chief.floor), rig.now
    data = b'{"strategy": "manual"}'
    again = Delivery("gateway-targets-paper", "7", data, {}, WALL, 1, nothing, nothing)
    await intake.targets(again)
    await rig.advance(minutes=5)
    said = await intake.targets(again)
    assert said is not None
    assert said.document.as_of == first_sight


async def test_in_real_time_a_message_is_dated_by_its_publishing(rig: Rig) -> None:
    """[T2]; the clock of the bench is virtual, a real gateway's is not."""
    assert rig.chief is not None
    floor = rig.chief.floor
    floor.doors = replace(floor.doors, clock=WallClock())
    data = b'{"strategy": "manual"}'
    message = Delivery("gateway-targets-paper", "7", data, {}, WALL, 1, nothing, nothing)
    said = await Intake(floor).targets(message)
    assert said is not None
    assert said.document.as_of == WALL


async def test_the_later_as_of_counts_and_not_the_later_arrival(rig: Rig) -> None:
    """[T2]"""
    for minutes, quantity in ((5, 10), (9, 20)):
        as_of = (rig.now - timedelta(minutes=minutes)).isoformat()
        targets = [{"symbol": "SPY", "quantity": quantity}]
        await rig.publish("targets", {"strategy": "manual", "targets": targets, "as_of": as_of})
        await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert said.targets[0].quantity == 10


FUTURE = {"symbol": "ES", "sec_type": "FUT", "exchange": "CME", "last_trade_date": "202603"}


@pytest.mark.parametrize("multiplier", [{}, {"multiplier": 1}, {"multiplier": "50.0"}])
async def test_a_target_is_of_the_contract_as_the_broker_names_it(
    rig: Rig, multiplier: dict[str, Any]
) -> None:
    """[M14, T3] All that identifies and measures it, whatever was left out of the description."""
    body = {"strategy": "manual", "targets": [{**FUTURE, "quantity": 2, **multiplier}]}
    await rig.publish("targets", body)
    await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert rig.chief is not None
    (target,) = said.targets
    assert (target.local_symbol, target.last_trade_date) == ("ESH6", "20260320")
    assert (target.multiplier, target.quantity) == (Decimal(50), Decimal(2))
    by_id = Contract("ES", "FUT", "CME", con_id=target.con_id)
    assert target.contract == await rig.chief.floor.doors.session.resolve(by_id)


async def test_a_multiplier_that_the_broker_contradicts_is_refused(rig: Rig) -> None:
    """[M14] Whoever wrote 5 meant MES, and a tenth of the money."""
    body = {"strategy": "manual", "targets": [{**FUTURE, "quantity": 2, "multiplier": 5}]}
    assert await refused(rig, body) == (
        "targets[0]: multiplier: 5, but the broker's of ESH6 is 50; size by that, or leave it out"
    )


async def test_an_as_of_in_the_future_is_refused(rig: Rig) -> None:
    as_of = (rig.now + timedelta(seconds=61)).isoformat()
    body = {"strategy": "manual", "targets": SPY_TEN, "as_of": as_of}
    assert "is 61 s in the future, at most 60 s allowed" in await refused(rig, body)


async def test_an_as_of_a_minute_ahead_is_a_clock_that_differs(rig: Rig) -> None:
    as_of = rig.now + timedelta(seconds=60)
    body = {"strategy": "manual", "targets": SPY_TEN, "as_of": as_of.isoformat()}
    await rig.publish("targets", body)
    await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert said.as_of == as_of


async def test_other_content_as_of_the_same_instant_is_an_alert(rig: Rig) -> None:
    """[T2]: the first is kept."""
    await rig.say("manual", SPY=10)
    await rig.say("manual", SPY=20)
    await rig.until("it is told", lambda: bool(rig.told("alert")))
    said = await stored(rig)
    assert said is not None
    assert said.targets[0].quantity == 10
    assert "as of the same instant; the first is kept" in rig.told("alert")[0]


async def test_other_content_as_of_the_same_instant_still_answers_the_run(active: Rig) -> None:
    """A run asked twice at one instant, with money that moved between, must not hang."""
    for run_id, quantity in (("r1", 10), ("r2", 11)):
        body = {"command": "run", "run_id": run_id, "strategies": ["alpha"]}
        await active.publish("commands", body)
        await active.reached(run_id, "ASKED")
        await active.say("alpha", run_id=run_id, SPY=quantity)
        assert (await active.ended(run_id)).answered == {"alpha": "targets"}


async def test_the_same_content_as_of_the_same_instant_answers_another_run_too(
    active: Rig,
) -> None:
    """A strategy asked twice about the same market says the same; both runs got their answer."""
    for run_id in ("r1", "r2"):
        body = {"command": "run", "run_id": run_id, "strategies": ["alpha"]}
        await active.publish("commands", body)
        await active.reached(run_id, "ASKED")
        await active.say("alpha", run_id=run_id, SPY=10)
        assert (await active.ended(run_id)).answered == {"alpha": "targets"}
    assert active.dead_letters == []


async def test_an_unknown_strategy_is_refused_with_the_known_ones(rig: Rig) -> None:
    """[T3]"""
    reason = await refused(rig, {"strategy": "gamma", "targets": SPY_TEN})
    assert reason == (
        "strategy: 'gamma' is not known (alpha, beta, manual); make strategies/gamma first"
    )


async def test_a_strategy_made_a_moment_ago_is_known(rig: Rig) -> None:
    """[T3]: known is what `strategies/` holds, not what the last run read."""
    await rig.put(STRATEGIES["alpha"], strategy="gamma")
    await rig.publish("targets", {"strategy": "gamma", "targets": SPY_TEN})
    await rig.settled()
    assert await stored(rig, "gamma") is not None


async def test_a_spoilt_document_elsewhere_does_not_make_a_strategy_unknown(rig: Rig) -> None:
    await rig.put(STRATEGIES["alpha"], strategy="gamma")
    await rig.store.commit([Put("strategies/delta", {"weight": "much"})])
    await rig.publish("targets", {"strategy": "gamma", "targets": SPY_TEN})
    await rig.settled()
    assert await stored(rig, "gamma") is not None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 50_000, "not JSON"),
        ({"targets": SPY_TEN}, "strategy"),
        ({"strategy": "manual", "target": []}, "target: unknown field, did you mean targets?"),
        (
            {"strategy": "manual", "targets": [{"symbol": "SPY", "quantity": "ten"}]},
            "targets[0].quantity: ",
        ),
        (
            b'{"strategy": "manual", "targets": [{"symbol": "SPY", "quantity": 1e999999999}]}',
            "quantity must be between",
        ),
        (
            {"strategy": "manual", "targets": [{"symbol": "SPY\0QQQ", "quantity": 1}]},
            "symbol must be at most 64 characters that can be printed",
        ),
        (
            {"strategy": "manual", "targets": [{"symbol": "NOPE", "quantity": 1}]},
            "targets[0]: ",
        ),
        (
            {"strategy": "manual", "targets": [*SPY_TEN, {**SPY_TEN[0], "con_id": 756733}]},
            "two entries are the same contract",
        ),
        ({"strategy": "manual", "as_of": "2026-02-27T10:00:00"}, "as_of must have a time zone"),
        ({"strategy": "manual", "status": "hold", "targets": SPY_TEN}, "must be empty when"),
        ({"strategy": "manual", "run_id": "x" * 201}, "run_id: more than 200 characters"),
        ({"strategy": "all_positions"}, "would share a document with the broker's positions"),
    ],
)
async def test_what_cannot_be_used_is_a_dead_letter_that_names_the_field(
    rig: Rig, body: dict[str, Any] | bytes, reason: str
) -> None:
    assert reason in await refused(rig, body)


async def test_a_dead_letter_keeps_the_original_bytes_and_says_where_it_came_from(rig: Rig) -> None:
    data = b'{"strategy": "manual",   "targets": 7}'
    message_id = await rig.publish("targets", data)
    await rig.until("the dead letter is there", lambda: bool(rig.dead_letters))
    (letter,) = rig.dead_letters
    assert letter.data == data
    assert letter.attributes["source-subscription"] == "gateway-targets-paper"
    assert letter.attributes["source-message-id"] == message_id


async def test_a_reason_longer_than_an_attribute_may_be_is_cut(rig: Rig) -> None:
    reason = await refused(rig, {"strategy": "manual", "é" * 3000: 1})
    assert len(reason.encode()) <= 1024


async def test_the_reason_of_a_strategy_is_kept_short(rig: Rig) -> None:
    """It is repeated in every order and run; a document has a limit."""
    await rig.publish(
        "targets", {"strategy": "manual", "targets": SPY_TEN, "reason": "x" * 900_000}
    )
    await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert len(said.last_reason) == 1000


async def test_dry_run_targets_outside_a_dry_run_change_nothing(active: Rig) -> None:
    await active.publish("targets", {"strategy": "manual", "targets": SPY_TEN, "dry_run": True})
    await active.settled_after_coalescing()
    assert await stored(active) is None
    assert active.told("alert") == ["manual: dry_run targets outside a dry run change nothing"]


async def test_an_answer_that_comes_after_its_dry_run_is_never_traded(active: Rig) -> None:
    """[M9]: also when it forgets to say dry_run; the run's document remembers."""
    body = {"command": "run", "run_id": "r1", "strategies": ["alpha"], "dry_run": True}
    await active.publish("commands", body)
    await active.reached("r1", "ASKED")
    await active.advance(seconds=60)
    await active.ended("r1")
    await active.say("alpha", run_id="r1", SPY=10)
    await active.settled_after_coalescing()
    assert await stored(active, "alpha") is None
    assert any("to the dry run r1 came late" in sentence for sentence in active.told("alert"))


@pytest.mark.parametrize("run_id", ["a/b", "..", "never-was"])
async def test_an_answer_to_a_run_that_never_was_is_stored_as_late(rig: Rig, run_id: str) -> None:
    await rig.say("manual", run_id=run_id, SPY=10)
    await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert said.run_id == run_id


async def test_a_hold_keeps_the_last_targets_on_record_and_says_why(rig: Rig) -> None:
    """[T1]"""
    await rig.say("manual", SPY=10)
    await rig.settled()
    await rig.advance(seconds=10)
    body = {"strategy": "manual", "status": "hold", "reason": "no bars"}
    await rig.publish("targets", body)
    await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert said.targets[0].quantity == 10
    assert (said.last_status, said.last_reason) == ("hold", "no bars")


@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_targets_wait_while_the_broker_is_away(
    active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a dead letter nor lost: contracts are resolved once the broker is back."""
    monkeypatch.setattr("gateway.commander.RECONNECT_SECONDS", 0.01)
    await active.break_line()
    await active.say("manual", SPY=10)
    chief = active.chief
    assert chief is not None
    await active.until("the message waits", lambda: bool(chief._put_off))
    assert active.bus.pending("gateway-targets-paper") == 1
    await active.mend_line()
    await active.settled_after_coalescing()
    assert active.dead_letters == []
    assert await active.book("manual") == {"SPY": 10}


async def test_targets_wait_while_the_broker_is_there_and_gives_no_answer(
    active: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given back to the bus, they were a dead letter after five attempts, and nobody was told."""
    monkeypatch.setattr("gateway.commander.PUT_OFF_SECONDS", 0.01)
    monkeypatch.setattr("gateway.core.silence.PAUSE_SECONDS", 0.01)
    chief = active.chief
    assert chief is not None
    inquiry = chief.floor.doors.session._inquiry
    assert inquiry is not None
    patient, inquiry._patience._seconds = inquiry._patience._seconds, 0.05
    faults = active.simulator.faults
    faults.unanswered_requests(kind="contract_details", request=0)
    await active.say("manual", SPY=10)
    await active.say("alpha", SPY=5)
    await active.until("many attempts", lambda: len(faults.log) > 12)
    assert active.dead_letters == []
    inquiry._patience._seconds = patient
    faults.clear()
    await active.settled_after_coalescing()
    assert await active.held() == {"SPY": 15}


@pytest.mark.parametrize("code", [100, 322, 10197])
async def test_targets_wait_while_ib_refuses_to_say_what_a_contract_is(
    active: Rig, monkeypatch: pytest.MonkeyPatch, code: Any
) -> None:
    """Only a contract that IB calls wrong is the message's own fault."""
    monkeypatch.setattr("gateway.commander.PUT_OFF_SECONDS", 0.01)
    faults = active.simulator.faults
    faults.refused_requests(kind="contract_details", code=code, request=0)
    await active.say("manual", SPY=10)
    await active.until("many attempts", lambda: len(faults.log) > 6)
    assert active.dead_letters == []
    faults.clear()
    await active.settled_after_coalescing()
    assert await active.held() == {"SPY": 10}


@pytest.mark.parametrize("code", [200, 321])
async def test_a_contract_that_ib_calls_wrong_is_a_dead_letter(rig: Rig, code: Any) -> None:
    """[T3]"""
    rig.simulator.faults.refused_requests(kind="contract_details", code=code, request=1)
    body = {"strategy": "manual", "targets": [{"symbol": "QQQ", "quantity": 1}]}
    reason = await refused(rig, body)
    assert reason.startswith(f"targets[0]: QQQ STK SMART USD: {code} ")
    assert reason.endswith("; correct the contract")


async def test_a_message_that_waits_and_comes_again_waits_once(
    active: Rig,
) -> None:
    """After an hour Google's client gives a lease up, and the same message is delivered again."""
    active.simulator.faults.refused_requests(kind="contract_details", code=322, request=0)
    await active.say("manual", SPY=10)
    chief = active.chief
    assert chief is not None
    await active.until("the message waits", lambda: bool(chief._put_off))
    (waiting,) = chief._put_off.values()
    again = replace(waiting, delivery_attempt=2)
    chief.inbox.put(again)
    await active.until("it is taken up", lambda: not chief.inbox.waiting and not chief._handling)
    assert list(chief._put_off.values()) == [again]


async def test_the_time_to_live_is_that_of_the_settings(rig: Rig) -> None:
    await rig.put(Settings(fresh_minutes=7), name="common")
    await rig.command("reconcile", "c1")
    await rig.say("manual", SPY=10)
    await rig.settled()
    said = await stored(rig)
    assert said is not None
    assert said.valid_until == rig.now + timedelta(minutes=7)
    assert said.targets[0].quantity == Decimal(10)
