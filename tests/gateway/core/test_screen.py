"""The screen's numbers, from documents made by hand; over a real gateway: `test_status`."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway.core import screen
from gateway.core.screen import Close, Standing
from schemas.documents import (
    BarsDocument,
    LatchesDocument,
    LedgerDocument,
    LedgerPosition,
    Lock,
    SnapshotDocument,
    StatusDocument,
)
from schemas.values import EXTERNAL, Contract, Mode

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
ES = Contract("ES", "FUT", "CME", con_id=7, local_symbol="ESH6", multiplier=Decimal(50))
SPY = Contract("SPY", con_id=1)


def bars(contract: Contract, size: str, minutes: int, *closes: float) -> BarsDocument:
    times = tuple(NOW + timedelta(minutes=minutes + i) for i in range(len(closes)))
    return BarsDocument(contract, size, NOW, times, closes, closes, closes, closes, closes)


def position(contract: Contract, quantity: int, cost: int, realized: int = 0) -> LedgerPosition:
    money = Decimal(cost), Decimal(realized), Decimal(2)
    return LedgerPosition(contract, Decimal(quantity), *money)


def standing(ledgers: dict[str, LedgerDocument], **more: object) -> Standing:
    return Standing(Mode.PAPER, NOW, NOW, ledgers=ledgers, **more)  # type: ignore[arg-type]


def test_of_several_sizes_of_bars_the_newest_close_counts() -> None:
    found = screen.closes([bars(SPY, "1 day", 0, 99.0), bars(SPY, "30 mins", 5, 100.5, 101.25)])
    assert found == {"1": Close(Decimal("101.25"), NOW + timedelta(minutes=6))}


def test_bars_that_are_empty_are_no_price() -> None:
    assert screen.closes([bars(SPY, "1 day", 0)]) == {}


def test_a_futures_profit_counts_its_multiplier() -> None:
    """2 contracts bought at 6000, now 6010: 2 x 10 x 50."""
    ledgers = {"roll": LedgerDocument({"7": position(ES, 2, 600_000)})}
    (held,) = screen.holdings(standing(ledgers, closes={"7": Close(Decimal(6010), NOW)}))
    assert (held.symbol, held.average) == ("ESH6", Decimal(6000))
    assert held.unrealized == 1000


def test_a_short_profits_when_the_price_falls() -> None:
    ledgers = {"a": LedgerDocument({"1": position(SPY, -4, -400)})}
    (held,) = screen.holdings(standing(ledgers, closes={"1": Close(Decimal(90), NOW)}))
    assert (held.average, held.unrealized) == (Decimal(100), Decimal(40))


def test_without_a_price_nothing_is_guessed() -> None:
    (held,) = screen.holdings(standing({"a": LedgerDocument({"1": position(SPY, 4, 400)})}))
    assert held.last is None
    assert held.unrealized is None


def test_strategies_come_before_the_ledgers_that_are_no_ones() -> None:
    ledgers = {
        name: LedgerDocument({"1": position(SPY, 1, 1)}) for name in (EXTERNAL, "zeta", "alpha")
    }
    assert [one.book for one in screen.holdings(standing(ledgers))] == ["alpha", "zeta", EXTERNAL]


def test_what_was_sold_again_is_summed_by_currency() -> None:
    euro = Contract("SAP", currency="EUR", con_id=3)
    ledger = LedgerDocument(
        {
            "1": position(SPY, 0, 0, 10),
            "2": position(Contract("QQQ", con_id=2), 0, 0, -4),
            "3": position(euro, 0, 0, 7),
        }
    )
    found = screen.holdings(standing({"a": ledger}))
    assert [(one.currency, one.realized, one.commission) for one in found] == [
        ("EUR", Decimal(7), Decimal(2)),
        ("USD", Decimal(6), Decimal(4)),
    ]


def test_what_each_book_made_of_a_day_is_the_difference_of_two_checks() -> None:
    snapshot = SnapshotDocument(NOW, "DU1", "USD", Decimal(1_010), {}, None, None, {})
    day = StatusDocument(
        "2026-01-05",
        Decimal(1_000),
        Decimal(1_010),
        pnl_before={"a": Decimal(5)},
        pnl={"a": Decimal(12), "b": Decimal("-0.5")},
    )
    told = screen.screen(standing({}, snapshot=snapshot, day=day))
    assert "day 2026-01-05: +10.00 USD since its start, 0 orders" in told
    assert "by the last eod_check, since the one before: a +7.00, b -0.50 USD" in told


def test_what_is_unexplained_is_named_by_its_lock_where_nobody_holds_it_any_more() -> None:
    """[B3] A position that is gone at the broker is in no list of positions."""
    snapshot = SnapshotDocument(NOW, "DU1", "USD", Decimal(1), {}, None, None, {"1": Decimal(-5)})
    lock = Lock("SPY", "unexplained", "why", NOW)
    told = screen.screen(
        standing({}, snapshot=snapshot, latches=LatchesDocument(locks={"1": lock}))
    )
    assert "BROKEN, UNEXPLAINED -5 SPY, when read" in told
