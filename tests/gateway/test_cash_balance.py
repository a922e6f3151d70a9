"""`cash_balance` in an account of four currencies, through the whole gateway (behaviour 5)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
import pytest_asyncio

from gateway.simulator.broker import ExchangeOptions
from infra.local.rig import Rig, rigged
from schemas.documents import RunDocument
from schemas.settings import Settings
from tests.scaled_bars import bars_with_pairs

CASH = {"EUR": Decimal("26500.5"), "GBP": Decimal("-12999"), "JPY": Decimal("4000000")}


@asynccontextmanager
async def account(cash: Mapping[str, Decimal], base: str = "USD") -> AsyncIterator[Rig]:
    """A gateway that may trade, in an account with these balances beside its base."""
    options = ExchangeOptions(cash_by_currency=cash, currency=base)
    async with rigged(options, bars=bars_with_pairs()) as made:
        await made.start()
        await made.resume()
        yield made


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    async with account(CASH) as made:
        yield made


def balances(rig: Rig) -> dict[str, Decimal]:
    """What the broker has of each currency but dollars, to whole units."""
    held = rig.simulator.exchange.account.balances
    return {c: held[c].quantize(Decimal(1)) for c in sorted(held) if c != "USD"}


async def swept(rig: Rig, run_id: str = "k1", **fields: object) -> RunDocument:
    run = await rig.command("cash_balance", run_id, **fields)
    await rig.traded()
    return run


async def test_each_currency_is_traded_back_by_itself_toward_zero_and_never_beyond(
    rig: Rig,
) -> None:
    """Sold, bought back where it is owed, and by the pair that the market knows (seeds 1.9)."""
    run = await swept(rig)
    assert run.outcome == "done", run.reason
    orders = {o.contract.local_symbol: o for o in (await rig.orders()).values()}
    assert {name: o.quantity for name, o in orders.items()} == {
        "EUR.USD": -26_000,
        "GBP.USD": 12_000,
        "USD.JPY": 25_000,
    }
    left = balances(rig)
    assert (left["EUR"], left["GBP"]) == (Decimal(500), Decimal(-999))
    assert 0 <= left["JPY"] < 1000 * 170
    assert {o.outcome for o in orders.values()} == {"filled"}


async def test_the_orders_are_plain_market_orders_of_the_book_cash(rig: Rig) -> None:
    """[B1] Through the same journal and door; no strategy's book moves, and the law holds."""
    await swept(rig)
    for order in (await rig.orders()).values():
        assert [share.strategy for share in order.allocations] == ["CASH"]
        assert (order.order_type, order.tif, order.adaptive_priority) == ("MKT", "DAY", "")
        assert (order.contract.exchange, order.is_reducing) == ("IDEALPRO", True)
        assert "over cash_balance_threshold 5000" in order.why[0]
    assert await rig.book("CASH") == {"EUR": -26_000, "GBP": 12_000, "USD": 25_000}
    assert await rig.book("EXTERNAL") == {}
    reconciled = await rig.command("reconcile", "r1")
    assert reconciled.outcome == "done"
    assert [t for t in rig.told() if "locked" in t or "orphan" in t or "booked to" in t] == []


async def test_the_run_says_what_each_balance_is_worth_and_what_was_done(rig: Rig) -> None:
    run = await swept(rig)
    assert "EUR 26500.50 is worth" in run.reason
    assert run.reason.count("over cash_balance_threshold 5000") == 3
    assert {change.symbol: change.change for change in run.wanted} == {
        "EUR.USD": -26_000,
        "GBP.USD": 12_000,
        "USD.JPY": 25_000,
    }
    assert len(run.orders) == 3


async def test_again_at_once_it_waits_for_the_balances_and_later_finds_nothing(rig: Rig) -> None:
    """IB sends balances anew every three minutes: twice on an old one would be twice too much."""
    await swept(rig)
    again = await swept(rig, "k2")
    assert again.orders == ()
    assert {r.rule for r in again.refusals} <= {"balance_age"}
    await rig.advance(seconds=200)
    last = await swept(rig, "k3")
    assert (last.orders, last.refusals) == ((), ())
    assert last.reason.count("within cash_balance_threshold") == 3


async def test_while_an_order_of_the_pair_works_nothing_is_ordered_again(rig: Rig) -> None:
    rig.simulator.faults.odd_parts(parts=3, seconds=5)
    await rig.command("cash_balance", "k1")
    again = await rig.command("cash_balance", "k2")
    assert again.orders == ()
    assert {r.rule for r in again.refusals} <= {"in_flight", "balance_age"}
    assert "may still move EUR; say cash_balance after its end" in again.refusals[0].sentence
    await rig.advance(seconds=30)
    await rig.traded()
    assert balances(rig)["EUR"] == Decimal(500)


async def test_the_same_message_again_does_nothing(rig: Rig) -> None:
    await swept(rig)
    await rig.advance(seconds=200)
    await rig.publish("commands", {"command": "cash_balance", "run_id": "k1"})
    await rig.settled()
    assert len(await rig.orders()) == 3


async def test_a_dry_run_plans_and_changes_nothing(rig: Rig) -> None:
    run = await swept(rig, dry_run=True)
    assert (len(run.planned), run.orders) == (3, ())
    assert await rig.orders() == {}
    assert balances(rig)["EUR"] == CASH["EUR"].quantize(Decimal(1))


async def test_while_halted_it_is_refused_and_while_reduce_only_it_works(rig: Rig) -> None:
    """A conversion brings a balance nearer to 0; it is not cancelled for its virtual position."""
    await rig.command("halt", "h1")
    assert (await swept(rig)).outcome == "refused"
    await rig.command("reduce_only", "o1")
    rig.simulator.faults.odd_parts(parts=3, seconds=5)
    await rig.command("cash_balance", "k2")
    await rig.command("reconcile", "r1")
    await rig.advance(seconds=30)
    await rig.traded()
    assert {o.outcome for o in (await rig.orders()).values()} == {"filled"}


async def test_targets_that_wait_for_their_net_still_get_it(rig: Rig) -> None:
    """It nets balances and nothing else [N1c]."""
    await rig.say("alpha", SPY=10)
    await rig.settled_before_coalescing()
    await swept(rig)
    assert await rig.book("alpha") == {}
    await rig.settled_after_coalescing()
    assert await rig.book("alpha") == {"SPY": 10}


@pytest.mark.parametrize(
    ("cash", "threshold", "quantities", "rule"),
    [
        ({"EUR": Decimal(999)}, 500, {}, "lot"),
        ({"EUR": Decimal(-999)}, 500, {}, "lot"),
        ({"EUR": Decimal(1500)}, 500, {"EUR.USD": -1000}, ""),
        ({"EUR": Decimal(-1500)}, 500, {"EUR.USD": 1000}, ""),
        ({"EUR": Decimal(1500)}, 5000, {}, ""),
        ({"EUR": Decimal(2_000_000)}, 5000, {}, "conversion_notional"),
    ],
)
async def test_sizes_are_toward_zero_and_never_0(
    cash: dict[str, Decimal], threshold: int, quantities: dict[str, int], rule: str
) -> None:
    """-1500 became +2000 and -999 became +1000 in the old system (seeds 1.9).

    Sizes below IDEALPRO's minimum are traded as odd lots, with a warning that is no outcome.
    """
    async with account(cash) as rig:
        await rig.put(Settings(cash_balance_threshold=Decimal(threshold)), name="common")
        run = await swept(rig)
        orders = (await rig.orders()).values()
        assert {o.contract.local_symbol: o.quantity for o in orders} == quantities
        assert {o.outcome for o in orders} <= {"filled"}
        assert [r.rule for r in run.refusals] == ([rule] if rule else [])


async def test_with_euros_as_the_base_dollars_are_changed_by_the_same_pair() -> None:
    """There is no USD.EUR: to sell dollars, euros are bought."""
    async with account({"USD": Decimal(20_000)}, base="EUR") as rig:
        run = await swept(rig)
        (order,) = (await rig.orders()).values()
        assert order.contract.local_symbol == "EUR.USD"
        assert not order.quantity % 1000
        assert 0 < order.quantity * (order.average_price or 0) <= 20_000, run.reason


async def test_a_pair_that_is_closed_is_not_ordered(rig: Rig) -> None:
    """By the pair's own hours: on a Saturday."""
    await rig.advance(days=(5 - rig.now.weekday()) % 7)
    run = await swept(rig)
    assert {r.rule for r in run.refusals} == {"market_hours"}
    assert await rig.orders() == {}


async def test_a_currency_without_a_pair_is_told_and_stops_no_other() -> None:
    options = ExchangeOptions(
        cash_by_currency={"SEK": Decimal(100_000), "EUR": Decimal(10_000)},
        exchange_rates={"SEK": Decimal("0.1")},
    )
    async with rigged(options, bars=bars_with_pairs()) as rig:
        await rig.start()
        await rig.resume()
        run = await swept(rig)
        assert [(r.rule, r.symbol) for r in run.refusals] == [("no_pair", "SEK")]
        assert "change 100000.00 SEK by hand there" in run.refusals[0].sentence
        assert [o.quantity for o in (await rig.orders()).values()] == [-10_000]


@pytest.mark.parametrize(("when", "path"), [("after", "runs/k1"), ("after", "openOrders/")])
async def test_a_gateway_that_ends_amid_a_sweep_changes_nothing_twice(when: str, path: str) -> None:
    """What was journaled and never sent is proven so first [R2]; then a person says it again."""
    async with account({"EUR": Decimal(10_000)}) as rig:
        await rig.hold(**{when: path})
        await rig.publish("commands", {"command": "cash_balance", "run_id": "k1"})
        await rig.until_held()
        await rig.kill()
        await rig.start()
        for _ in range(3):
            await rig.advance(seconds=11)
            await rig.settled()
        run = await rig.run("k1")
        assert run is not None
        assert run.outcome == "interrupted"
        await swept(rig, "k2")
        assert sum(o.filled for o in (await rig.orders()).values()) == -10_000
        assert balances(rig)["EUR"] == 0
