"""Futures and other currencies through the real commander: right money, right ledgers, the law.

The account is in dollars; a euro is worth 1.1 of them. ES trades at ten times SPY's bundled prices,
50 dollars a point; SAP at three tenths of them, in euros.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
import pytest_asyncio

from functions.decision import Weights
from functions.sizing import Sized, sized
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import ContractTable, Listing, made_up_con_id
from infra.local.rig import BARS, MODE, STRATEGIES, Rig, rigged
from schemas import codec
from schemas.documents import (
    LedgerDocument,
    LedgerPosition,
    SnapshotDocument,
    StatusDocument,
    TargetsDocument,
)
from schemas.messages import Targets
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import Contract
from tests.scaled_bars import scaled_bars

ES = Contract("ES", "FUT", "CME", last_trade_date="20260320")
SAP = Contract("SAP", currency="EUR")
LISTED = Listing(made_up_con_id("SAP"), "SAP", "IBIS", "SAP SE", currency="EUR")
RATE = Decimal("1.1")
RICH = ExchangeOptions(
    cash=Decimal(10_000_000),
    cash_by_currency={"EUR": Decimal(500_000)},
    exchange_rates={"EUR": RATE},
)
FUNDS = {
    **STRATEGIES,
    "alpha": StrategyDocument(True, Decimal("0.5"), universe=(ES, SAP), bars=BARS),
}
"""What the strategies read; everyone may want everything."""


@cache
def bars() -> BarBook:
    """The bundled bars, and those of ES and SAP made of them."""
    return scaled_bars({"ESH6": ("10", "0.25"), "SAP": ("0.3", "0.01")})


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    """A bench with a gateway that may trade stocks and futures, of some worth."""
    table = ContractTable().with_listings([LISTED])
    async with rigged(RICH, FUNDS, bars(), table) as made:
        allowed = Settings(
            sec_types_allowed=("STK", "FUT"),
            order_notional_max=Decimal(2_000_000),
            book_notional_max=Decimal(2_000_000),
        )
        await made.put(allowed, name="common")
        await made.start()
        await made.resume()
        yield made


async def want(rig: Rig, strategy: str, *targets: tuple[Contract, int], **parts: Any) -> None:
    """Say targets as a person would, and let them be traded."""
    named = [
        {
            "symbol": contract.symbol,
            "sec_type": contract.sec_type,
            "exchange": contract.exchange,
            "currency": contract.currency,
            "last_trade_date": contract.last_trade_date,
            "quantity": quantity,
            **parts,
        }
        for contract, quantity in targets
    ]
    await rig.publish("targets", {"strategy": strategy, "targets": named})


async def position(rig: Rig, ledger: str, symbol: str) -> LedgerPosition:
    found = await rig.document(LedgerDocument, mode=MODE, ledger=ledger)
    assert found is not None
    return next(p for p in found.positions.values() if p.contract.symbol == symbol)


async def law_holds(rig: Rig) -> None:
    """[B3]"""
    await rig.command("reconcile", f"law-{len(rig.reports)}")
    snapshot = await rig.document(SnapshotDocument, mode=MODE)
    assert snapshot is not None
    assert snapshot.unexplained == {}


async def test_a_future_and_a_stock_in_euros_are_traded_and_measured(rig: Rig) -> None:
    """[M14, B1] The multiplier is in the cost, the rate is in the day's turnover alone."""
    await want(rig, "alpha", (ES, 2), (SAP, 100))
    await rig.settled_after_coalescing()
    orders = {o.contract.symbol: o for o in (await rig.orders()).values()}
    assert {s: (o.filled, o.decision_rate) for s, o in orders.items()} == {
        "ES": (Decimal(2), Decimal(1)),
        "SAP": (Decimal(100), RATE),
    }
    for symbol, multiplier in (("ES", 50), ("SAP", 1)):
        order, booked = orders[symbol], await position(rig, "alpha", symbol)
        assert order.average_price is not None
        assert booked.contract.multiplier == multiplier
        assert booked.cost == order.filled * order.average_price * multiplier
        assert (booked.commission, booked.quantity) == (order.commission, order.filled)
        paid = order.contract.currency
        assert (booked.commission_currency, order.commission_currency) == (paid, paid)
    status = await rig.document(StatusDocument, mode=MODE)
    assert status is not None
    assert orders["ES"].decision_price is not None
    assert orders["SAP"].decision_price is not None
    futures = 2 * orders["ES"].decision_price * 50
    assert status.turnover == futures + 100 * orders["SAP"].decision_price * RATE
    await law_holds(rig)


async def test_what_is_closed_realizes_with_the_multiplier(rig: Rig) -> None:
    """[B1] A flip of a future: to 0, then beyond [N6]; the books and the broker end the same."""
    await want(rig, "alpha", (ES, 2))
    await rig.settled_after_coalescing()
    bought = (await position(rig, "alpha", "ES")).cost
    await rig.advance(hours=1)
    await want(rig, "alpha", (ES, -1))
    await rig.settled_after_coalescing()
    await rig.settled_after_coalescing()
    orders = sorted((await rig.orders()).values(), key=lambda order: order.generation)
    assert [order.filled for order in orders] == [2, -2, -1]
    sold = orders[1].average_price
    assert sold is not None
    found = await position(rig, "alpha", "ES")
    assert (found.quantity, found.realized) == (Decimal(-1), 2 * sold * 50 - bought)
    assert rig.simulator.exchange.positions == {"ESH6": Decimal(-1)}
    await law_holds(rig)


async def test_strategies_cross_futures_with_the_multiplier_in_both_books(rig: Rig) -> None:
    """[N4] alpha gives to beta: no order, the same money out of one book and into the other."""
    await want(rig, "alpha", (ES, 2))
    await rig.settled_after_coalescing()
    before = await position(rig, "alpha", "ES")
    await want(rig, "alpha", (ES, 0))
    await want(rig, "beta", (ES, 2))
    await rig.settled_after_coalescing()
    assert len(await rig.orders()) == 1
    given, taken = await position(rig, "alpha", "ES"), await position(rig, "beta", "ES")
    assert given.quantity == 0
    assert (taken.quantity, taken.cost) == (Decimal(2), before.cost + given.realized)
    assert taken.cost > 2 * 6000 * 50
    await law_holds(rig)


async def test_a_run_sizes_by_multiplier_and_rate(rig: Rig) -> None:
    """[M14] What the strategy function is told suffices to size exactly, in the base currency."""
    await rig.publish("commands", {"command": "run", "run_id": "r1", "strategies": ["alpha"]})
    await rig.reached("r1", "ASKED")
    await rig.until("the market is there", lambda: bool(rig.markets))
    (market,) = rig.markets
    assert market.exchange_rates == {"EUR": RATE, "USD": Decimal(1)}
    closes = {b.contract.symbol: Decimal(str(b.close[-1])) for b in market.bars}
    decided = sized(market, Weights({"ES": Decimal("0.4"), "SAP": Decimal("-0.1")}, "because"))
    assert isinstance(decided, Sized)
    wanted = {t.symbol: t.quantity for t in decided.targets}
    assert wanted == {
        "ES": market.capital * Decimal("0.4") // (closes["ES"] * 50),
        "SAP": -(market.capital * Decimal("0.1") // (closes["SAP"] * RATE)),
    }
    said = Targets("alpha", decided.targets, as_of=market.as_of, run_id="r1")
    await rig.publish("targets", codec.encode(said))
    run = await rig.ended("r1")
    assert (run.outcome, run.refusals) == ("done", ())
    await rig.traded()
    assert await rig.book("alpha") == wanted
    await law_holds(rig)


async def test_what_is_held_in_euros_stops_no_stock_in_dollars(rig: Rig) -> None:
    """[M14] Euros and a stock in euros, of a person: its worth counts by the rate, no more."""
    rig.simulator.exchange.trade_by_hand("SAP", Decimal(1000), None, rig.now)
    await rig.command("reconcile", "read")
    await rig.say("alpha", SPY=10)
    await rig.settled_after_coalescing()
    assert await rig.book("alpha") == {"SPY": 10}
    assert await rig.book("EXTERNAL") == {"SAP": 1000}
    await law_holds(rig)


async def test_without_a_rate_its_contracts_are_refused_and_the_others_traded() -> None:
    """[M14] The broker tells no rate of a currency that the account never had."""
    table = ContractTable().with_listings([LISTED])
    async with rigged(ExchangeOptions(), FUNDS, bars(), table) as rig:
        await rig.start()
        await rig.resume()
        await want(rig, "alpha", (SAP, 100))
        await rig.say("beta", SPY=10)
        await rig.settled_after_coalescing()
        assert await rig.book("alpha") == {}
        assert await rig.book("beta") == {"SPY": 10}
        (refusal,) = rig.told("refusal")
        assert "the broker tells no rate of EUR; hold some EUR there" in refusal


async def test_money_that_a_person_changes_is_the_book_cash_s(rig: Rig) -> None:
    """[B1] Not EXTERNAL's, outside the law, and nobody's to trade; a restart keeps it."""
    rig.simulator.exchange.trade_by_hand("EUR.USD", Decimal(25_000), RATE, rig.now)
    await rig.say("alpha", SPY=10)
    await rig.settled_after_coalescing()
    await rig.stop()
    await rig.start()
    await law_holds(rig)
    cash = await position(rig, "CASH", "EUR")
    assert (cash.quantity, cash.cost) == (Decimal(25_000), Decimal(27_500))
    assert await rig.book("EXTERNAL") == {}
    assert {o.contract.symbol for o in (await rig.orders()).values()} == {"SPY"}
    assert [text for text in rig.told() if "orphan" in text or "is locked" in text] == []
    assert sum("booked to CASH" in text for text in rig.told("execution")) == 1


@pytest.mark.parametrize("command", ["adopt", "transfer"])
async def test_no_command_names_what_the_book_cash_holds(rig: Rig, command: str) -> None:
    """[B1]"""
    rig.simulator.exchange.trade_by_hand("EUR.USD", Decimal(25_000), RATE, rig.now)
    await rig.command("reconcile", "read")
    given = {"from": "EXTERNAL", "to": "alpha", "quantity": 25_000}
    fields = given if command == "transfer" else {"to": "alpha"}
    run = await rig.command(command, "k1", symbol="EUR", price=1, **fields)
    assert run.outcome == "refused"
    assert "0 contracts named EUR" in run.reason
    assert await rig.book("CASH") == {"EUR": 25_000}


async def test_a_currency_pair_is_refused_as_a_target_whatever_is_allowed(rig: Rig) -> None:
    """[B1] The sentence says what to do instead."""
    await rig.put(Settings(sec_types_allowed=("STK", "CASH")), name="common")
    pair = Contract("EUR", "CASH", "IDEALPRO", "USD")
    await want(rig, "alpha", (pair, 25_000))
    await rig.settled_after_coalescing()
    assert await rig.orders() == {}
    (refusal,) = rig.told("refusal")
    assert "change money by hand at the broker" in refusal


async def stored_without_multiplier(rig: Rig, quantity: int) -> None:
    """A gateway ends, and leaves targets as one did that knew no multiplier of a target."""
    await rig.stop()
    said = await rig.document(TargetsDocument, mode=MODE, strategy="alpha")
    assert said is not None
    old = (replace(t, multiplier=Decimal(1), quantity=Decimal(quantity)) for t in said.targets)
    await rig.put(replace(said, targets=tuple(old)), mode=MODE, strategy="alpha")
    await rig.start()


async def test_targets_stored_without_their_multiplier_open_nothing(rig: Rig) -> None:
    """[M14] 1 is what nobody told; said anew, the same is traded and measured."""
    await rig.put(ControlDocument(), mode=MODE)
    await want(rig, "alpha", (ES, 2))
    await rig.settled_after_coalescing()
    await stored_without_multiplier(rig, 2)
    await rig.resume()
    await rig.command("allocate", "old")
    assert await rig.orders() == {}
    assert "multiplier of 1, as if the broker had told none" in rig.told("refusal")[-1]
    await want(rig, "alpha", (ES, 2))
    await rig.settled_after_coalescing()
    assert (await position(rig, "alpha", "ES")).cost > 2 * 6000 * 50
    await law_holds(rig)


@pytest.mark.parametrize("quantity", [3, 0])
async def test_what_is_held_is_measured_by_its_ledger_whatever_old_targets_say(
    rig: Rig, quantity: int
) -> None:
    """[M14] The ledger's contract is the broker's; the entries of old and new orders are alike."""
    await want(rig, "alpha", (ES, 1))
    await rig.settled_after_coalescing()
    await stored_without_multiplier(rig, quantity)
    await rig.command("allocate", "old")
    await rig.traded()
    found = await position(rig, "alpha", "ES")
    assert found.quantity == quantity
    assert found.contract.multiplier == 50
    assert all(abs(entry.cost / entry.quantity) > 6000 * 50 for entry in found.entries)
    await law_holds(rig)


async def test_a_future_that_a_person_bought_is_adopted_and_closed(rig: Rig) -> None:
    """[B4] What a reading tells of it suffices to know its money and where it trades."""
    rig.simulator.exchange.trade_by_hand("ESH6", Decimal(2), Decimal(6200), rig.now)
    await rig.command("reconcile", "read")
    fields = {"from": "EXTERNAL", "to": "manual", "quantity": 2, "symbol": "ES", "price": 6200}
    moved = await rig.command("transfer", "k1", **fields)
    assert moved.outcome == "done"
    assert (await position(rig, "manual", "ES")).cost == 2 * 6200 * 50
    await want(rig, "manual", (ES, 0))
    await rig.settled_after_coalescing()
    assert (await position(rig, "manual", "ES")).quantity == 0
    assert rig.simulator.exchange.positions == {}
    await law_holds(rig)
