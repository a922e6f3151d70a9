"""The commands, each through the whole gateway: message in, documents and orders out."""

from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.ports import Delete, Put
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from infra.local.rig import MODE, STRATEGIES, Rig, rigged
from schemas.settings import ControlDocument, Settings
from schemas.values import BarSpec, Contract, TradingState

NOT_CONNECTED = (
    "not connected to the IB Gateway; it is dialled anew by itself; if it stays away, look whether "
    "it is logged in"
)
FIFTY = ExchangeOptions(holdings=(InitialHolding("SPY", Decimal(50), Decimal(600)),))


async def asked(rig: Rig, run_id: str, **fields: object) -> None:
    """Start a run and wait until it has asked its strategies."""
    await rig.publish("commands", {"command": "run", "run_id": run_id, **fields})
    await rig.reached(run_id, "ASKED")


async def test_a_run_asks_waits_for_all_and_nets_their_answers(active: Rig) -> None:
    """[N1a]"""
    await asked(active, "r1")
    await active.say("alpha", run_id="r1", SPY=10)
    await active.say("beta", run_id="r1", SPY=5, VIXY=3)
    run = await active.ended("r1")
    await active.traded()
    assert (run.outcome, run.answered) == ("done", {"alpha": "targets", "beta": "targets"})
    assert active.simulator.exchange.positions == {"SPY": 15, "VIXY": 3}
    assert await active.book("beta") == {"SPY": 5, "VIXY": 3}


async def test_a_market_message_carries_bars_book_and_capital(rig: Rig) -> None:
    await asked(rig, "r1", strategies=["alpha"])
    await rig.until("the market message is there", lambda: bool(rig.markets))
    (market,) = rig.markets
    assert (market.strategy, market.run_id, market.as_of) == ("alpha", "r1", rig.now)
    assert market.capital == Decimal(1_000_000) * Decimal("0.9") * Decimal("0.5")
    assert market.exchange_rates == {"USD": Decimal(1)}
    assert market.bars[0].contract.con_id == 756733
    assert len(market.bars[0].time) > 1
    assert await rig.store.get(f"market_data/{MODE}/bars/SPY-756733-30mins") is not None


async def test_a_run_says_what_its_strategies_hold(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    await asked(active, "r1", strategies=["alpha"])
    await active.until("the market message is there", lambda: bool(active.markets))
    (market,) = active.markets
    assert [(h.contract.symbol, h.quantity) for h in market.book] == [("SPY", Decimal(10))]


async def test_a_run_with_the_same_run_id_twice_changes_nothing(active: Rig) -> None:
    await asked(active, "r1", strategies=["alpha"])
    await active.say("alpha", run_id="r1", SPY=10)
    first = await active.ended("r1")
    await active.traded()
    await active.publish("commands", {"command": "run", "run_id": "r1", "strategies": ["alpha"]})
    await active.until("a person is told", lambda: "was used for run" in "".join(active.told()))
    assert await active.run("r1") == first
    assert len(active.markets) == 1
    assert len(await active.orders()) == 1


async def test_a_halt_that_reuses_a_run_id_is_refused_aloud(active: Rig) -> None:
    """Silently ignored, a person would believe that trading is halted."""
    await active.command("reconcile", "x")
    await active.publish("commands", {"command": "halt", "run_id": "x"})
    await active.until("it is told", lambda: bool(active.told("refusal")))
    (sentence,) = active.told("refusal")
    assert "run_id x was used for reconcile" in sentence


async def test_a_run_without_a_run_id_is_named_for_its_message(rig: Rig) -> None:
    message_id = await rig.publish("commands", {"command": "reconcile"})
    run = await rig.ended(f"message-{message_id}")
    assert (run.outcome, run.trigger) == ("done", f"message {message_id}")


@pytest.mark.parametrize("run_id", ["a/b", "..", "__x__", "x" * 201, "x" * 2000])
async def test_a_run_id_that_names_no_document_is_a_dead_letter(rig: Rig, run_id: str) -> None:
    await rig.publish("commands", {"command": "reconcile", "run_id": run_id})
    await rig.until("the dead letter is there", lambda: bool(rig.dead_letters))
    assert rig.dead_letters[0].attributes["reason"].startswith("run_id: ")
    assert (await rig.command("reconcile", "next")).outcome == "done"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not json", "not JSON"),
        (b'{"command": "sell_all"}', "command: 'sell_all'"),
        (b'{"command": "run", "dryrun": true}', "dryrun: unknown field, did you mean dry_run"),
        (b"[" * 100_000, "not JSON"),
        (b'{"command": "adopt", "symbol": "SPY", "price": 1e999999}', "price must be between"),
    ],
)
async def test_a_bad_command_is_a_dead_letter_that_names_the_field(
    rig: Rig, data: bytes, reason: str
) -> None:
    await rig.publish("commands", data)
    await rig.until("the dead letter is there", lambda: bool(rig.dead_letters))
    assert rig.dead_letters[0].data == data
    assert reason in rig.dead_letters[0].attributes["reason"]
    assert (await rig.command("reconcile", "next")).outcome == "done"


async def test_unknown_and_disabled_strategies_are_named_and_the_others_go_on(rig: Rig) -> None:
    await rig.put(replace(STRATEGIES["beta"], enabled=False), strategy="beta")
    await asked(rig, "r1", strategies=["alpha", "beta", "gamma"])
    run = await rig.run("r1")
    assert run is not None
    assert run.asked == ("alpha",)
    assert [r.sentence for r in run.refusals] == [
        "strategy beta is not enabled; set enabled in strategies/beta",
        "strategy 'gamma' is not known; name some of alpha, beta, manual",
    ]
    unknown = "refused: strategy 'gamma' is not known; name some of alpha, beta, manual"
    await rig.until("a person is told", lambda: unknown in rig.told("refusal"))


async def test_a_missing_weight_is_an_error_and_never_zero(rig: Rig) -> None:
    """[N2]"""
    await rig.put(replace(STRATEGIES["alpha"], weight=None), strategy="alpha")
    run = await rig.command("run", "r1")
    assert run.outcome == "refused"
    assert run.reason == "strategies/alpha has no weight; say 0 to give it nothing"


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        ("0.6", "sum to 1.1, over 1"),
        ("-0.5", "strategies/alpha has a weight below 0"),
        ("NaN", "strategies/alpha: weight: must be a finite number"),
    ],
)
async def test_weights_that_cannot_be_are_refused(rig: Rig, weight: str, reason: str) -> None:
    await rig.put(replace(STRATEGIES["alpha"], weight=Decimal(weight)), strategy="alpha")
    run = await rig.command("run", "r1")
    assert run.outcome == "refused"
    assert reason in run.reason


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("control/paper", {"state": "go"}, "control/paper: state: "),
        ("config/paper", {"answer_secs": 5}, "config/paper: answer_secs: unknown field"),
        ("config/paper", {"exposure_overall": "NaN"}, "exposure_overall: must be a finite"),
        ("config/common", {"fresh_minutes": 0}, "config/common: fresh_minutes: must be 1 to"),
        ("strategies/gamma", {"enabled": "maybe"}, "strategies/gamma: enabled: "),
        ("strategies/Bad Name", {"enabled": True}, "'Bad Name' must be 1 to 63"),
    ],
)
async def test_a_document_that_people_spoilt_refuses_the_run_by_its_name(
    active: Rig, path: str, data: dict[str, object], reason: str
) -> None:
    """Nothing is traded on what cannot be read, and the process stays up."""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    await active.store.commit([Put(path, data)])
    run = await active.command("run", "r1")
    assert (run.outcome, reason in run.reason) == ("refused", True), run.reason
    await active.settled_after_coalescing()
    assert await active.orders() == {}
    await active.store.commit([Delete(path)])
    await active.resume()
    assert (await active.command("allocate", "r2")).outcome == "done"
    assert len(await active.orders()) == 1


async def test_a_strategy_whose_contract_does_not_resolve_is_held_and_the_others_go_on(
    active: Rig,
) -> None:
    """Behaviour 5: a failed strategy is held, the others go on."""
    await active.put(replace(STRATEGIES["beta"], universe=(Contract("NOPE"),)), strategy="beta")
    await asked(active, "r1")
    await active.say("alpha", run_id="r1", SPY=10)
    run = await active.ended("r1")
    assert (run.outcome, run.asked) == ("done", ("alpha",))
    assert run.refusals[0].strategies == ("beta",)
    assert "NOPE" in run.refusals[0].sentence


@pytest.mark.parametrize("bars", [None, BarSpec("7 mins", "5 D", 1), BarSpec("30 mins", "x", 1)])
async def test_a_strategy_with_bars_that_cannot_be_had_is_held(
    rig: Rig, bars: BarSpec | None
) -> None:
    await rig.put(replace(STRATEGIES["beta"], bars=bars), strategy="beta")
    await asked(rig, "r1")
    run = await rig.run("r1")
    assert run is not None
    assert (run.asked, run.refusals[0].strategies) == (("alpha",), ("beta",))


async def test_a_second_run_waits_for_the_one_that_is_open(active: Rig) -> None:
    await asked(active, "r1", strategies=["alpha"])
    for run_id in ("r2", "r3"):
        await active.publish("commands", {"command": "run", "run_id": run_id, "strategies": []})
    await active.reached("r3", "STARTED")
    assert (second := await active.run("r2")) is not None
    assert second.state == "STARTED"
    await active.say("alpha", run_id="r1", SPY=10)
    assert (await active.ended("r3")).outcome == "done"
    assert (await active.ended("r2")).outcome == "done"


async def test_a_waiting_run_that_is_refused_does_not_hold_up_the_next(active: Rig) -> None:
    await asked(active, "r1", strategies=["alpha"])
    for run_id in ("r2", "r3"):
        await active.publish("commands", {"command": "run", "run_id": run_id})
    await active.reached("r3", "STARTED")
    await active.put(replace(STRATEGIES["alpha"], weight=None), strategy="alpha")
    await active.say("alpha", run_id="r1")  # no order, whose events would wake the loop
    assert (await active.ended("r3")).outcome == "refused"
    assert (await active.ended("r2")).outcome == "refused"


async def test_an_allocate_does_not_push_an_open_run_aside(active: Rig) -> None:
    await asked(active, "r1", strategies=["alpha"])
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.reached("a1", "STARTED")
    await active.say("alpha", run_id="r1", SPY=10)
    assert (await active.ended("r1")).answered == {"alpha": "targets"}
    assert (await active.ended("a1")).outcome == "done"
    assert len(await active.orders()) == 1


async def test_allocate_nets_the_last_targets_now(active: Rig) -> None:
    """[N1b]"""
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    run = await active.command("allocate", "a1")
    await active.traded()
    assert (run.outcome, run.orders) == ("done", ("paper-756733-1",))
    assert await active.book("alpha") == {"SPY": 10}


async def test_allocate_twice_with_the_same_run_id_orders_once(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    first = await active.command("allocate", "a1")
    await active.publish("commands", {"command": "allocate", "run_id": "a1"})
    await active.settled()
    await active.traded()
    assert await active.run("a1") == first
    assert active.simulator.exchange.positions == {"SPY": 10}


async def test_a_dry_run_writes_its_plan_and_changes_nothing(active: Rig) -> None:
    await active.say("manual", SPY=3)
    await active.settled_after_coalescing()
    before = await what_counts(active)
    await asked(active, "r1", strategies=["alpha"], dry_run=True)
    await active.say_dry("alpha", run_id="r1", SPY=10)
    run = await active.ended("r1")
    assert (run.outcome, run.orders, run.crosses) == ("done", (), ())
    assert run.planned == ("+10 SPY for alpha +10",)
    assert await what_counts(active) == before
    assert active.simulator.exchange.positions == {"SPY": 3}


async def test_a_run_keeps_why_each_strategy_answered_so(active: Rig) -> None:
    """[W1] Also a dry run, whose targets are stored nowhere."""
    for run_id, dry_run in (("r1", True), ("r2", False)):
        await asked(active, run_id, strategies=["alpha"], dry_run=dry_run)
        words = {"status": "hold", "reason": "QQQ has no bars", "run_id": run_id}
        await active.publish("targets", {"strategy": "alpha", **words})
        run = await active.ended(run_id)
        assert run.answer_reasons == {"alpha": "QQQ has no bars"}


async def test_an_answer_that_forgets_to_say_dry_run_trades_nothing(active: Rig) -> None:
    """[M9]: the run decides."""
    await asked(active, "r1", strategies=["alpha"], dry_run=True)
    await active.say("alpha", run_id="r1", SPY=10)
    run = await active.ended("r1")
    assert run.planned == ("+10 SPY for alpha +10",)
    assert (await active.command("allocate", "a1")).orders == ()


async def test_a_dry_allocate_orders_nothing_and_a_real_one_does(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    assert (await active.command("allocate", "a1", dry_run=True)).planned
    assert await active.orders() == {}
    assert (await active.command("allocate", "a2")).orders


async def test_reconcile_writes_the_account_and_what_nobody_explains() -> None:
    """[B3, B4]"""
    async with rigged(FIFTY) as rig:
        await rig.start()
        assert (await rig.command("reconcile", "c1")).outcome == "done"
        snapshot = await rig.store.get(f"positions/{MODE}")
        assert snapshot is not None
        assert snapshot["unexplained"]["756733"] == "50"
        assert snapshot["net_liquidation_number"] > 900_000


@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_a_reconcile_that_fails_closes_the_run_as_failed(rig: Rig) -> None:
    await rig.break_line()
    run = await rig.command("run", "r1")
    assert run.outcome == "failed"
    assert run.reason == NOT_CONNECTED
    assert rig.markets == []


@pytest.mark.ib_async_errors_expected("the broker is taken away")
async def test_a_line_that_breaks_while_bars_are_read_fails_the_run(rig: Rig) -> None:
    """No strategy's fault: the run must not go on with nobody asked."""
    await rig.advance(days=1)  # a new day's first reading is written before the bars are read
    await rig.hold(after="status/paper")
    await rig.publish("commands", {"command": "run", "run_id": "r1"})
    await rig.until_held()
    await rig.break_line()
    rig.wire.release()
    run = await rig.ended("r1")
    assert (run.outcome, run.reason, run.refusals) == ("failed", NOT_CONNECTED, ())


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("halt", TradingState.HALTED),
        ("reduce_only", TradingState.REDUCE_ONLY),
        ("resume", TradingState.ACTIVE),
    ],
)
async def test_the_trading_state_is_written_with_who_and_why(
    rig: Rig, name: str, state: TradingState
) -> None:
    run = await rig.command(name, "s1", by="ann", reason="because")
    found = await rig.document(ControlDocument, mode=MODE)
    assert found == ControlDocument(state, "ann", "because", rig.now)
    assert (run.outcome, run.by) == ("done", "ann")


async def test_the_trading_state_redelivered_changes_nothing(rig: Rig) -> None:
    """A resume that comes again after a halt must not undo it."""
    await rig.command("resume", "s1")
    await rig.command("halt", "s2")
    await rig.publish("commands", {"command": "resume", "run_id": "s1"})
    await rig.settled()
    found = await rig.document(ControlDocument, mode=MODE)
    assert found is not None
    assert found.state is TradingState.HALTED


async def test_nothing_is_traded_after_a_halt(active: Rig) -> None:
    await active.command("halt", "h1", by="ann")
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    run = await active.command("allocate", "a1")
    assert [r.rule for r in run.refusals] == ["trading_state"]
    assert await active.orders() == {}


async def test_reduce_only_lets_a_strategy_out_and_not_in(active: Rig) -> None:
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    await active.command("reduce_only", "s1")
    await active.say("alpha", SPY=12)
    await active.settled_after_coalescing()
    assert await active.book("alpha") == {"SPY": 10}
    await active.say("alpha", SPY=4)
    await active.settled_after_coalescing()
    assert await active.book("alpha") == {"SPY": 4}


async def test_adopt_books_what_was_unexplained_and_unlocks_it() -> None:
    """[B4]"""
    async with rigged(FIFTY) as rig:
        await rig.start()
        await rig.resume()
        run = await rig.command("adopt", "d1", symbol="SPY", price="600", quantity=50)
        assert (run.outcome, run.reason) == ("done", "+50 SPY to EXTERNAL at 600")
        assert await rig.book("EXTERNAL") == {"SPY": 50}
        assert (await rig.store.get("latches/paper") or {})["locks"] == {}
        assert (await rig.store.get("positions/paper") or {})["unexplained"] == {}


async def test_adopt_to_a_strategy_makes_it_the_strategys_own() -> None:
    async with rigged(FIFTY) as rig:
        await rig.start()
        await rig.command("adopt", "d1", symbol="SPY", price="600", to="alpha")
        assert await rig.book("alpha") == {"SPY": 50}
        assert await rig.book("EXTERNAL") == {}


async def test_adopt_redelivered_books_once() -> None:
    async with rigged(FIFTY) as rig:
        await rig.start()
        body = {"command": "adopt", "run_id": "d1", "symbol": "SPY", "price": "600"}
        for _ in range(2):
            await rig.publish("commands", body)
        await rig.ended("d1")
        assert await rig.book("EXTERNAL") == {"SPY": 50}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"symbol": "SPY", "quantity": 40}, "quantity: 40 SPY, but 50 is UNEXPLAINED"),
        ({"symbol": "SPY", "to": "gamma"}, "to: 'gamma' is neither EXTERNAL nor a known"),
        ({"symbol": "VIXY"}, "symbol: 0 contracts named VIXY have something UNEXPLAINED"),
    ],
)
async def test_an_adopt_that_does_not_fit_is_refused(
    fields: dict[str, object], reason: str
) -> None:
    async with rigged(FIFTY) as rig:
        await rig.start()
        run = await rig.command("adopt", "d1", price="600", **fields)
        assert (run.outcome, reason in run.reason) == ("refused", True), run.reason
        assert await rig.held() == {}


async def test_what_vanished_from_the_broker_can_be_adopted_by_its_symbol(active: Rig) -> None:
    """The books say 10, the broker 0, and the execution is gone: the symbol is only in the book."""
    await active.say("alpha", SPY=10)
    await active.settled_after_coalescing()
    account = active.simulator.exchange.account
    del account.holdings[756733]
    run = await active.command("adopt", "d1", symbol="SPY", price="600", quantity=-10)
    assert (run.outcome, run.reason) == ("done", "-10 SPY to EXTERNAL at 600")


async def test_settings_are_read_anew_for_each_run(active: Rig) -> None:
    await active.put(Settings(order_quantity_max=Decimal(5)), name=MODE)
    await active.say("alpha", SPY=10)
    await active.settled_before_coalescing()
    run = await active.command("allocate", "a1")
    assert [r.rule for r in run.refusals] == ["order_quantity_max"]


async def what_counts(rig: Rig) -> dict[str, object]:
    """Books, targets, numbers and crosses as they lie in the store, and how far orders are."""
    found: dict[str, object] = dict(await rig.store.list("crosses"))
    for name in ("holdings", "targets", "generations"):
        found |= await rig.store.list(f"positions/{MODE}/{name}")
    del found[f"positions/{MODE}/holdings/all_positions"]  # the broker's own list, read anew
    return found | {ref: (o.state, o.filled) for ref, o in (await rig.orders()).items()}
