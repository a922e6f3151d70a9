from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.day import checked
from gateway.core.desk import Desk
from gateway.core.findings import Finding, end_of_day, risk, summary
from schemas.documents import (
    BrokerPosition,
    Latch,
    LedgerDocument,
    LedgerPosition,
    Lock,
    StatusDocument,
)
from schemas.values import Contract

NEXT_STEPS = ("adopt", "resume", "halt", "reduce", "reconcile", "unlock", "look")


def status(**parts: Any) -> StatusDocument:
    known = {"start_of_day_equity": Decimal(110_000), "highest_equity": Decimal(120_000)}
    return StatusDocument("2026-01-05", **{**known, **parts})


def said(found: list[Finding], *, alerts: bool | None = None) -> list[str]:
    return [one.sentence for one in found if alerts in (None, one.is_alert)]


def only(found: list[Finding], word: str) -> Finding:
    (one,) = [one for one in found if word in one.sentence]
    return one


def lost(build: Any) -> Desk:
    """3 SPY at the broker belong to nobody."""
    held = BrokerPosition(build.spy, Decimal(43), Decimal(90))
    desk: Desk = build.desk({}, {"a": {1: 40}}, positions={1: held})
    return replace(desk, unexplained={1: Decimal(3)})


def test_a_summary_tells_money_by_currency_and_what_it_is_worth(build: Any) -> None:
    cash = {"USD": Decimal(1000), "EUR": Decimal(100), "JPY": Decimal(5), "GBP": Decimal(0)}
    rates = {"EUR": Decimal("1.2")}
    values = replace(build.base, cash=cash, exchange_rates=rates, initial_margin=Decimal(7))
    assert said(summary(build.desk(values=values), build.now)) == [
        "DU…: net liquidation 100000.00 USD, initial margin 7.00",
        "cash 100.00 EUR = 120.00 USD",
        "cash 5.00 JPY (no rate is known)",
        "cash 1000.00 USD",
    ]


def test_a_summary_tells_what_each_book_holds_and_made(build: Any) -> None:
    desk = build.desk({}, {"a": {1: 40}, "b": {2: -10}}, prices={1: build.price(101)})
    assert said(summary(desk, build.now))[2:] == [
        "a holds +40 SPY, worth 4040.00 USD, cost 3600.00 USD, made +440.00 USD",
        "b holds -10 VIXY, of unknown worth, cost -900.00 USD, profit unknown",
    ]


def test_a_summary_tells_working_orders_and_the_fills_of_the_day(build: Any) -> None:
    execution = build.execution("x.01", 3, shares=build.shares({"a": 3}))
    older = replace(execution, exec_id="w.01", at=build.later(-86_400))
    order = build.order({"a": 5}, executions={"x": execution, "w": older}, filled=Decimal(3))
    desk = build.desk(orders=[order], foreign={"y": build.execution("y.01", 1, order_ref="")})
    assert said(summary(desk, build.now))[2:] == [
        "paper-1-1: +5 SPY is WORKING, filled +3, for a +5",
        "filled 15:00:00 UTC: +3 SPY at 100 -> a +3 (x.01)",
        "filled 15:00:00 UTC: +1 SPY at 100 -> somebody else (y.01)",
    ]


def test_what_belongs_to_nobody_is_an_alert_of_the_summary_and_of_the_day_s_end(build: Any) -> None:
    """[B3]"""
    for found in (summary(lost(build), build.now), end_of_day(lost(build), build.now, [])):
        one = only(found, "UNEXPLAINED")
        assert one.is_alert
        assert one.sentence.startswith(
            "UNEXPLAINED: +3 SPY at the broker belongs to nobody; it held +43 when last read"
        )


def test_before_a_reading_a_summary_says_so(build: Any) -> None:
    assert said(summary(build.desk(values=None), build.now), alerts=True) == [
        "the account has not been read yet; say reconcile"
    ]


def test_a_risk_check_tells_the_loss_of_the_day_and_its_latch(build: Any) -> None:
    found = risk(build.desk(status=status()), build.now)
    assert said(found, alerts=False)[0] == (
        "equity 100000.00 USD, -10000.00 (-9.09%) since the day began with 110000.00; "
        "highest so far 120000.00"
    )
    latch = Latch("daily_loss", "too much; say resume", build.now)
    latched = risk(build.desk(status=status(), reduce_only=latch), build.now)
    assert said(latched, alerts=True) == ["latched reduce_only: too much; say resume"]


@pytest.mark.parametrize(("held", "is_alert"), [(1000, False), (1001, True)])
def test_exposure_over_its_bound_is_an_alert(build: Any, held: int, is_alert: bool) -> None:
    """At 100 each, of 100000 of net liquidation and a multiple of 1."""
    desk = build.desk({}, {"a": {1: held}}, settings=build.settings(exposure_net_max=Decimal(2)))
    gross, net = (only(risk(desk, build.now), f"{name} exposure") for name in ("gross", "net"))
    assert gross.is_alert is is_alert
    assert not net.is_alert
    assert f"{held * 100}.00 of at most 100000.00 (exposure_gross_max 1" in gross.sentence


def test_an_exposure_that_cannot_be_measured_is_an_alert(build: Any) -> None:
    """[M14]"""
    euros = replace(build.spy, currency="EUR")
    held = BrokerPosition(euros, Decimal(1), Decimal(90))
    desk = replace(build.desk({}, {"a": {1: 1}}), positions={1: held})
    one = only(risk(desk, build.now), "the exposure cannot be measured")
    assert one.is_alert


@pytest.mark.parametrize(
    ("parts", "is_stuck"),
    [
        ({"age": 1800}, False),
        ({"age": 1801}, True),
        ({"age": 1801, "state": "UNKNOWN"}, True),
        ({"age": 1801, "state": "DONE"}, False),
        ({"age": 9999, "good_after": 1800}, False),
        ({"age": 9999, "good_after": 1801}, True),
    ],
)
def test_an_order_that_should_be_over_is_stuck(
    build: Any, parts: dict[str, Any], is_stuck: bool
) -> None:
    """After 30 minutes; one that is to wait is not."""
    known = dict(parts)
    known["created_at"] = build.later(-known.pop("age"))
    if "good_after" in known:
        known["good_after"] = build.later(-known["good_after"])
    desk = build.desk(orders=[build.order({"a": 5}, **known)])
    found = [text for text in said(risk(desk, build.now), alerts=True) if "stuck" in text]
    assert len(found) == is_stuck


def future(last: str = "20260120", **parts: Any) -> Contract:
    known = {"sec_type": "FUT", "exchange": "CME", "con_id": 7, "local_symbol": "MESF6"}
    return Contract("MES", last_trade_date=last, **{**known, **parts})


def holding(build: Any, contract: Contract, quantity: int = 2, **parts: Any) -> Desk:
    """A book `a` that holds it; the day of the bench is Mon 2026-01-05."""
    position = LedgerPosition(contract, Decimal(quantity), Decimal(0), Decimal(0), Decimal(0))
    desk: Desk = build.desk(**parts)
    return replace(desk, ledgers={**desk.ledgers, "a": LedgerDocument({"7": position})})


@pytest.mark.parametrize(
    ("last", "when"),
    [
        ("20260111", None),
        ("20260110", "on 2026-01-10, in 5 days"),
        ("20260106", "on 2026-01-06, in 1 day"),
        ("20260105", "on 2026-01-05, which is today"),
        ("20260102", "on 2026-01-02, 3 days ago"),
        ("202601", None),
        ("", None),
    ],
)
def test_a_future_that_is_still_held_near_its_last_day_is_an_alert(
    build: Any, last: str, when: str | None
) -> None:
    """(decision 12)"""
    found = [
        one for one in risk(holding(build, future(last)), build.now) if "MESF6" in one.sentence
    ]
    if when is None:
        assert found == []
        return
    (one,) = found
    assert (one.is_alert, one.alert, one.con_id, one.symbol) == (True, "expiry_near", 7, "MES")
    assert one.sentence == (
        f"+2 MESF6 is held (a +2) and trades last {when} (expiry_warning_days 5): roll or close "
        "it; of what is delivered in kind, notice comes earlier"
    )


@pytest.mark.parametrize(
    ("quantity", "settings", "is_told"),
    [(0, {}, False), (-2, {}, True), (2, {"expiry_warning_days": 0}, False)],
)
def test_what_was_rolled_is_no_alert_and_the_days_are_a_setting(
    build: Any, quantity: int, settings: dict[str, int], is_told: bool
) -> None:
    desk = holding(build, future("20260108"), quantity, settings=build.settings(**settings))
    assert any(one.alert == "expiry_near" for one in risk(desk, build.now)) is is_told


def test_a_risk_check_tells_what_is_locked(build: Any) -> None:
    lock = Lock("SPY", "repeated", "thrice for nothing; say unlock", build.now)
    desk = build.desk(locks={"1": lock})
    assert said(risk(desk, build.now), alerts=True) == [
        "SPY is locked: thrice for nothing; say unlock"
    ]


def test_the_end_of_a_day_tells_the_law_open_orders_and_what_each_book_made(build: Any) -> None:
    made = {"a": Decimal(120), "b": Decimal(-5)}
    seen = checked(status(pnl_before={"a": Decimal(100)}), "eod_check", build.now, made)
    desk = build.desk({}, {"a": {1: 40}}, orders=[build.order({"a": 5})], status=seen)
    found = end_of_day(desk, build.now, ["c"])
    assert said(found, alerts=False)[:1] == ["the law holds: broker = books + EXTERNAL"]
    assert said(found)[-3:] == [
        "a made +20.00 USD today",
        "b made -5.00 USD today",
        "what c made cannot be told: a price or a rate lacks",
    ]
    assert said(found, alerts=True) == [
        "still open: paper-1-1: +5 SPY is WORKING, filled +0, for a +5"
    ]


def test_every_alert_says_what_to_do_next(build: Any) -> None:
    order = build.order({"a": 5}, created_at=build.later(-9999))
    desk = replace(lost(build), orders={order.order_ref: order})
    alerts = said([*summary(desk, build.now), *risk(desk, build.now)], alerts=True)
    assert alerts
    assert all(any(step in text for step in NEXT_STEPS) for text in alerts)
